package smart

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"fhirgate/fhir"
)

// Constraint narrows a scope by a search parameter: a resource is in scope if
// one of the values fits (https://hl7.org/fhir/R4/search.html#combining).
type Constraint struct {
	Param  string
	Values []string // decoded; at least one, none empty
}

const (
	maxConstraints = 10
	maxValues      = 50
)

// parseConstraints reads what stands behind the "?" of a scope.
func parseConstraints(typ, query string) ([]Constraint, error) {
	var constraints []Constraint
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, errors.New("a constraint is not well formed: a '%' is not followed by two hexadecimal digits")
		}
		c := Constraint{Param: name, Values: strings.Split(value, ",")}
		if _, err := c.compile(typ); err != nil {
			return nil, err
		}
		constraints = append(constraints, c)
	}
	if len(constraints) > maxConstraints {
		return nil, fmt.Errorf("a scope has at most %d constraints", maxConstraints)
	}
	return constraints, nil
}

// key returns the constraint as it stands in a scope.
func (c Constraint) key() string {
	values := make([]string, len(c.Values))
	for i, value := range c.Values {
		values[i] = escapeValue(value)
	}
	return c.Param + "=" + strings.Join(values, ",")
}

// test is a constraint made ready for resources.
type test struct {
	param
	tokens []token
}

// token is one value of a constraint.
type token struct {
	system, code string
	anySystem    bool // "code": whatever the system
	anyCode      bool // "system|": whatever the code
}

// compile checks a constraint against the table of parameters.
func (c Constraint) compile(typ string) (test, error) {
	if strings.ContainsAny(c.Param, ":.") {
		return test{}, errors.New("a constraint has no modifier and no chain: its parameter is a plain name")
	}
	p, ok := paramOf(typ, c.Param)
	if !ok {
		on := "every type"
		if typ != AllTypes {
			on = typ
		}
		return test{}, fmt.Errorf("the parameter of a constraint is not one that can be used on %s: those are %s", on, strings.Join(paramNames(typ), ", "))
	}
	if len(c.Values) > maxValues {
		return test{}, fmt.Errorf("a constraint has at most %d values", maxValues)
	}
	t := test{param: p}
	for _, value := range c.Values {
		tok, err := p.kind.token(value)
		if err != nil {
			return test{}, fmt.Errorf("the constraint %s: %w", p.name, err)
		}
		t.tokens = append(t.tokens, tok)
	}
	return t, nil
}

// token reads one value of a parameter of this kind.
func (k kind) token(value string) (token, error) {
	if value == "" {
		return token{}, errors.New("a value is empty")
	}
	if strings.ContainsAny(value, "\\\x00\r\n") {
		return token{}, errors.New("a value holds a backslash or a control character, which are not understood")
	}
	system, code, bar := strings.Cut(value, "|")
	switch k {
	case codeKind:
		if bar {
			return token{}, errors.New("the element is a plain code: a value has no system")
		}
		return token{code: value, anySystem: true}, nil
	case uriKind:
		return token{code: value, anySystem: true}, nil
	case referenceKind:
		typ, id, _ := strings.Cut(value, "/")
		if !fhir.IsResourceType(typ) || !fhir.IsID(id) {
			return token{}, errors.New("a value is not of the form Type/id")
		}
		return token{code: value, anySystem: true}, nil
	}
	if !bar {
		return token{code: value, anySystem: true}, nil
	}
	if system == "" && code == "" || strings.Contains(code, "|") {
		return token{}, errors.New("a value is not of the form code, system|code, |code or system|")
	}
	return token{system: system, code: code, anyCode: code == ""}, nil
}

// fits reports whether the token names this pair. Codes compare exactly where
// they permit; loosely, without regard to letter case, where they deny.
func (t token) fits(system, code string, loose bool) bool {
	if !t.anySystem && t.system != system {
		return false
	}
	return t.anyCode || t.code == code || loose && strings.EqualFold(t.code, code)
}
