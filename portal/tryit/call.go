package tryit

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Call is what somebody wants to try, as they wrote it.
type Call struct {
	Hospital    string
	Interaction string // Capabilities, Read or Search
	Type        string
	ID          string // of a read
	Parameters  string // of a search: lines of the form name=value
}

// What the parts of a call may be. An id that begins with "_" or "$" would be
// another interaction.
var (
	hospitalID    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	typeName      = regexp.MustCompile(`^[A-Z][A-Za-z]{0,63}$`)
	resourceID    = regexp.MustCompile(`^[A-Za-z0-9-][A-Za-z0-9._-]{0,127}$`)
	parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$`)
)

// Bounds of a search.
const (
	maxParameters = 20
	maxValue      = 500 // bytes
)

// path returns the path of a call below /fhir, with its query, made of checked
// parts. Errors are *Mistake.
func (c Call) path(hospitals []Hospital) (string, error) {
	i := slices.IndexFunc(hospitals, func(h Hospital) bool { return h.ID == c.Hospital })
	if i < 0 {
		return "", notSimulated()
	}
	base := "/" + hospitals[i].ID + "/"
	switch c.Interaction {
	case Capabilities:
		return base + "metadata", nil
	case Read:
		if !hospitals[i].Reads(c.Type) {
			return "", &Mistake{"type", wrongType}
		}
		if !resourceID.MatchString(c.ID) {
			return "", &Mistake{"id", "An id has letters, digits, “-”, “.” and “_”: a search shows some."}
		}
		return base + c.Type + "/" + c.ID, nil
	case Search:
		if !hospitals[i].Searches(c.Type) {
			return "", &Mistake{"type", wrongType}
		}
		query, err := queryOf(c.Parameters)
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(base+c.Type+"?"+query, "?"), nil
	default:
		return "", &Mistake{"interaction", "Choose what to do."}
	}
}

func notSimulated() error { return &Mistake{"hospital", "Choose one of the simulated hospitals."} }

const wrongType = "Choose a type with which this hospital can do that."

// queryOf encodes lines of the form name=value, in their order.
func queryOf(lines string) (string, error) {
	var pairs []string
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !found || !parameterName.MatchString(name):
			return "", &Mistake{"parameters", "Write one parameter a line, as name=value."}
		case len(value) > maxValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			return "", &Mistake{"parameters", "A value is too long, or has characters that cannot be sent."}
		case len(pairs) == maxParameters:
			return "", &Mistake{"parameters", "These are more parameters than can be tried at once."}
		}
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(pairs, "&"), nil
}
