package page

import (
	"net/url"
	"slices"
	"strings"
)

// Form is what a form holds, and what is wrong with it, by field. The zero value
// is an empty form.
type Form struct {
	Values url.Values
	Errors map[string]string // one sentence by field name
}

// NewForm returns a form that holds values, each behind its name.
func NewForm(values ...string) *Form {
	f := &Form{Values: url.Values{}}
	for i := 0; i+1 < len(values); i += 2 {
		f.Values.Add(values[i], values[i+1])
	}
	return f
}

// Value returns the first value of a field, without space around it.
func (f *Form) Value(name string) string {
	if f == nil {
		return ""
	}
	return strings.TrimSpace(f.Values.Get(name))
}

// All returns the values of a field that may be given more than once, without
// empty ones.
func (f *Form) All(name string) []string {
	if f == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.Values[name]), func(v string) bool { return v == "" })
}

// Has reports whether a field has the value.
func (f *Form) Has(name, value string) bool {
	return f != nil && slices.Contains(f.Values[name], value)
}

// Error returns what is wrong with a field, or "".
func (f *Form) Error(name string) string {
	if f == nil {
		return ""
	}
	return f.Errors[name]
}

// Fail notes what is wrong with a field; the first mistake of a field stays. The
// field "" stands for the form as a whole.
func (f *Form) Fail(name, text string) {
	if f.Errors == nil {
		f.Errors = make(map[string]string)
	}
	if f.Errors[name] == "" {
		f.Errors[name] = text
	}
}

// Required notes that a field is empty, and returns its value.
func (f *Form) Required(name, text string) string {
	value := f.Value(name)
	if value == "" {
		f.Fail(name, text)
	}
	return value
}

// OK reports whether nothing is wrong.
func (f *Form) OK() bool { return len(f.Errors) == 0 }
