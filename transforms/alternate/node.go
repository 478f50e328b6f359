package alternate

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/tidwall/gjson"
)

// node is a part of a template.
type node interface {
	// write appends the JSON that the node stands for, or tells that it stands
	// for nothing.
	write(out []byte, item gjson.Result, e *env) (_ []byte, present bool, _ error)
}

// env is what nodes know besides the item.
type env struct {
	vars map[string]string
	zone *time.Location
}

type (
	object []member
	member struct {
		name string
		node node
	}
	list     []node
	literal  []byte // JSON
	variable string // name of a var
	text     []piece
	piece    struct{ plain, path, variable string } // one of them
)

// pick is a value of the item.
type pick struct {
	path     string
	as       string            // "text", "number" or "" = as it came
	words    map[string]string // nil = the value itself
	fallback []byte            // JSON; nil = none
}

// moment is a date, or an instant in the hospital's zone.
type moment struct {
	date, time string // paths; time is empty for a date
	layout     string
}

func (o object) write(out []byte, item gjson.Result, e *env) ([]byte, bool, error) {
	begin, separator := len(out), byte('{')
	for _, member := range o {
		mark := len(out)
		out = gjson.AppendJSONString(append(out, separator), member.name)
		var (
			present bool
			err     error
		)
		out, present, err = member.node.write(append(out, ':'), item, e)
		if err != nil {
			return out, false, below(member.name, err)
		}
		if !present {
			out = out[:mark]
			continue
		}
		separator = ','
	}
	if len(out) == begin {
		return out, false, nil
	}
	return append(out, '}'), true, nil
}

func (l list) write(out []byte, item gjson.Result, e *env) ([]byte, bool, error) {
	begin, separator := len(out), byte('[')
	for i, node := range l {
		mark := len(out)
		var (
			present bool
			err     error
		)
		out, present, err = node.write(append(out, separator), item, e)
		if err != nil {
			return out, false, below(fmt.Sprintf("[%d]", i), err)
		}
		if !present {
			out = out[:mark]
			continue
		}
		separator = ','
	}
	if len(out) == begin {
		return out, false, nil
	}
	return append(out, ']'), true, nil
}

func (l literal) write(out []byte, _ gjson.Result, _ *env) ([]byte, bool, error) {
	return append(out, l...), true, nil
}

func (v variable) write(out []byte, _ gjson.Result, e *env) ([]byte, bool, error) {
	value := e.vars[string(v)]
	if value == "" {
		return out, false, nil
	}
	return gjson.AppendJSONString(out, value), true, nil
}

func (t text) write(out []byte, item gjson.Result, e *env) ([]byte, bool, error) {
	var plain []byte
	for _, piece := range t {
		plain = append(plain, piece.plain...)
		if piece.variable != "" {
			plain = append(plain, e.vars[piece.variable]...)
		}
		if piece.path == "" {
			continue
		}
		value, ok := word(item.Get(piece.path))
		if !ok {
			return out, false, nil
		}
		plain = append(plain, value...)
	}
	return gjson.AppendJSONString(out, string(plain)), true, nil
}

// number is the form of a JSON number (RFC 8259 section 6).
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (p *pick) write(out []byte, item gjson.Result, _ *env) ([]byte, bool, error) {
	value := item.Get(p.path)
	plain, scalar := word(value)
	switch {
	case p.words != nil:
		mapped, ok := p.words[plain]
		if !ok || !scalar {
			break
		}
		return gjson.AppendJSONString(out, mapped), true, nil
	case p.as == "number" && scalar && number.MatchString(plain):
		return append(out, plain...), true, nil
	case p.as == "number":
		return out, false, nil
	case scalar && (p.as == "text" || value.Type == gjson.String):
		return gjson.AppendJSONString(out, plain), true, nil
	case scalar, p.as == "" && holds(value):
		return append(out, value.Raw...), true, nil
	}
	return append(out, p.fallback...), p.fallback != nil, nil
}

func (m *moment) write(out []byte, item gjson.Result, e *env) ([]byte, bool, error) {
	value, ok := word(item.Get(m.date))
	if !ok {
		return out, false, nil
	}
	form := time.DateOnly
	if m.time != "" {
		hour, ok := word(item.Get(m.time))
		if !ok {
			return out, false, nil
		}
		value, form = value+" "+hour, time.RFC3339
	}
	at, err := time.ParseInLocation(m.layout, value, e.zone)
	if err != nil {
		return out, false, errors.New("is not a date of the rule's layout") // err holds the value
	}
	return append(at.AppendFormat(append(out, '"'), form), '"'), true, nil
}

// word returns the text of a scalar that says something: numbers with the
// digits that they came with.
func word(value gjson.Result) (string, bool) {
	switch value.Type {
	case gjson.String:
		return value.Str, value.Str != ""
	case gjson.Number, gjson.True, gjson.False:
		return value.Raw, true
	default:
		return "", false
	}
}

// holds reports whether value is an object or a list with something in it.
func holds(value gjson.Result) (some bool) {
	if value.IsObject() || value.IsArray() {
		value.ForEach(func(_, _ gjson.Result) bool {
			some = true
			return false
		})
	}
	return some
}

// placed is an error with the element at fault.
type placed struct {
	place string
	err   error
}

func (p *placed) Error() string { return "at " + p.place + ": " + p.err.Error() }

func (p *placed) Unwrap() error { return p.err }

// below puts name before the place of err.
func below(name string, err error) error {
	var inner *placed
	if !errors.As(err, &inner) {
		return &placed{name, err}
	}
	if inner.place[0] != '[' {
		name += "."
	}
	return &placed{name + inner.place, inner.err}
}
