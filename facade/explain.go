package facade

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/policies"
)

// Explain tells in lines for people where a call would go, with which plan and
// vendor rules, and which stage would refuse it. Nothing is sent and nobody is
// asked: the stages run as for a call, but for keys and limits. passes is false
// for a call that would be refused.
func Explain(s *Snapshot, r *http.Request, plan string) (text string, passes bool) {
	var out strings.Builder
	say := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	c := &call{r: r, began: time.Now(), snapshot: s, consumer: &Consumer{KeyID: "explain", PlanID: plan}}
	f := &Facade{}
	f.Rekey(&Sealer{}) // its links are for the consumer that got them
	if err := f.identify(c); err != nil {
		say("refused", "%s", refusalLine(err))
		return out.String(), false
	}
	if c.hospital == nil {
		say("refused", "404 not-found: there is no hospital of this id")
		return out.String(), false
	}
	route := c.hospital.Route
	if len(route.Accept) > 0 {
		c.consumer.Way = Way(route.Accept[0])
	}
	say("hospital", "%s, %s (%s)", route.ID, route.Name, route.File)
	say("interaction", "%s", describe(c))
	if plan == "" {
		say("plan", "not asked for (--plan)")
		if err := permitted(c.hospital, c.req); err != nil {
			say("refused", "%s", refusalLine(err))
			return out.String(), false
		}
	} else {
		if p := s.Plans[plan]; p != nil {
			say("plan", "%s: %d units per %s, burst %d, quota %d per %s (%s)", p.ID, p.Rate, p.Per, p.Burst, p.Quota, p.QuotaPeriod, p.File)
			say("costs", "%d units", p.Cost.Of(c.req, r.URL.RawQuery))
			say("scopes", "%s", strings.Join(p.Clinical.Strings(), " "))
			for _, header := range requiredHeaders(p) {
				say("needs", "the header %s", header)
				r.Header.Set(header, "explain")
			}
		}
		if err := f.authorise(c); err != nil {
			say("refused", "%s", refusalLine(err))
			return out.String(), false
		}
	}
	query, err := c.adaptQuery(c.narrow(r.URL.RawQuery)) // of a POST _search it stands for the form
	if err == nil {
		_, err = c.applyRules(query, requestHeader(c))
	}
	for _, rule := range c.ruled.Applied {
		say("rule", "%s: %s", strings.TrimPrefix(c.hospital.Vendor.Owner(rule), "vendor "), rule)
	}
	var target *url.URL
	if err == nil {
		target, err = c.hospital.searchURL(c.req, c.ruled)
	}
	if err == nil && c.req.Interaction == fhir.Update {
		err = c.hospital.Vendor.Lossy(c.rulesCall())
	}
	if err != nil {
		say("refused", "%s", refusalLine(err))
		return out.String(), false
	}
	switch {
	case c.ruled.Form:
		form := target.RawQuery
		target.RawQuery = ""
		say("goes to", "%s %s", http.MethodPost, target)
		say("as form", "%s", form)
	case c.req.FormSearch || c.alternate != nil:
		say("goes to", "%s %s", http.MethodGet, target)
	default:
		say("goes to", "%s %s", r.Method, target)
	}
	if c.alternate != nil {
		say("becomes", "a Bundle of %s, by the rule %s", c.req.Type, c.alternate.Rule)
	}
	if c.rest != nil {
		say("goes on", "with further values of %s as further pages, %d a call", c.rest.Param, c.rest.AtMost)
	}
	say("logs in by", "%s", route.Upstream.Auth.Kind)
	return out.String(), true
}

func describe(c *call) string {
	words := []string{string(c.req.Listed())}
	for _, word := range []string{c.req.Type, c.req.Operation} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func requiredHeaders(p *policies.Plan) (names []string) {
	if p.Requires.OnBehalfOf {
		names = append(names, behalfHeader)
	}
	if p.Requires.Purpose {
		names = append(names, purposeHeader)
	}
	return names
}

func refusalLine(err error) string {
	e := asError(err)
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Text)
}
