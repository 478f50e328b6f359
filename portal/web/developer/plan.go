package developer

import (
	"context"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/web/scope"
	"fhirgate/portal/web/ui"
)

// catalogue is what can be asked for: plans, and the hospitals that they reach.
type catalogue struct {
	Plans     []planWords
	hospitals map[string]adminapi.Hospital
}

// catalogue asks the gateway for plans that can be asked for.
func (p *Pages) catalogue(ctx context.Context) (catalogue, error) {
	plans, err := p.gateway.Plans(ctx)
	if err != nil {
		return catalogue{}, err
	}
	hospitals, err := p.gateway.Hospitals(ctx)
	if err != nil {
		return catalogue{}, err
	}
	all := catalogue{hospitals: make(map[string]adminapi.Hospital, len(hospitals))}
	for _, h := range hospitals {
		all.hospitals[h.ID] = h
	}
	for _, plan := range plans {
		if plan.Active && len(plan.Hospitals) > 0 {
			all.Plans = append(all.Plans, p.inWords(plan))
		}
	}
	return all, nil
}

// plan returns the plan of an id, or nil.
func (c catalogue) plan(id string) *planWords {
	for i, plan := range c.Plans {
		if plan.ID == id {
			return &c.Plans[i]
		}
	}
	return nil
}

// choices are the hospitals that a plan reaches, to choose among.
func (c catalogue) choices(plan *planWords) []ui.Option {
	options := make([]ui.Option, len(plan.Hospitals))
	for i, id := range plan.Hospitals {
		options[i] = ui.Option{Value: id, Label: id}
		if h, known := c.hospitals[id]; known {
			options[i].Label, options[i].Help = h.Name, hospitalWords(h)
		}
	}
	return options
}

// hospitalWords tells what a hospital is and what can be read there.
func hospitalWords(h adminapi.Hospital) string {
	types := make([]string, 0, len(h.Interactions))
	for name := range h.Interactions {
		if name != "system" {
			types = append(types, name)
		}
	}
	slices.Sort(types)
	words := "/fhir/" + h.ID
	if h.Simulated() {
		words += " · simulated, no real patients"
	}
	if len(types) > 0 {
		words += " · " + strings.Join(types, ", ")
	}
	return words
}

// planWords is a plan that can tell in words what it allows.
type planWords struct {
	adminapi.Plan
	AtOnce bool // requests for it need no administrator
}

// inWords adds to a plan who decides on requests for it: nobody, where the
// settings say so and it reaches no real hospital.
func (p *Pages) inWords(plan adminapi.Plan) planWords {
	words := planWords{Plan: plan}
	words.AtOnce = plan.Simulated() && slices.Contains(p.autoApprove, plan.ID)
	return words
}

// RatePer is the period of the plan's rate, in words.
func (p planWords) RatePer() period { return period(p.Per) }

// QuotaPer is the period of the plan's quota, in words.
func (p planWords) QuotaPer() period { return period(p.QuotaPeriod) }

// Demands tells what every call must carry.
func (p planWords) Demands() []string {
	var demands []string
	if p.OnBehalfOf {
		demands = append(demands, "Every call names the person for whom it is made.")
	}
	if p.Purpose {
		demands = append(demands, "Every call names its purpose.")
	}
	return demands
}

// Allows tells what may be done with which resources.
func (p planWords) Allows() []allowance {
	all := make([]allowance, len(p.Scopes))
	for i, scope := range p.Scopes {
		all[i] = allowanceOf(scope)
	}
	return all
}

// period is a time in which something may be done so often.
type period time.Duration

// Word is "a day" for a day; "" when there is no such word.
func (p period) Word() string {
	switch time.Duration(p) {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	case 24 * time.Hour:
		return "a day"
	case 7 * 24 * time.Hour:
		return "a week"
	default:
		return ""
	}
}

// Length is how long the period is.
func (p period) Length() time.Duration { return time.Duration(p) }

// allowance is a SMART scope in words.
type allowance struct {
	Scope string // as plans and tokens have it
	Type  string // of resource
	What  string // may be done
	Only  string // under which condition; "" = none
}

// allowanceOf says a scope in words. What it does not know is shown as it is.
func allowanceOf(text string) allowance {
	read, known := scope.Read(text)
	if !known {
		return allowance{Scope: text, Type: text}
	}
	told := allowance{Scope: text, Type: read.Type, What: strings.Join(read.Actions, ", ")}
	if read.Type == "*" {
		told.Type = "All types"
	}
	var conditions []string
	switch read.Context {
	case "user":
		conditions = append(conditions, "for a person who signed in")
	case "patient":
		conditions = append(conditions, "of one patient")
	}
	if read.Where != "" {
		conditions = append(conditions, "where "+strings.ReplaceAll(read.Where, "&", " and "))
	}
	told.Only = strings.Join(conditions, ", ")
	return told
}
