package ui

import (
	"cmp"
	"fmt"
	"strings"
)

// Form is what components read of a form that was sent: the values, and what
// is wrong with them. A nil Form has neither.
type Form interface {
	// Value is the first value of a field.
	Value(name string) string
	// Error is what is wrong with a field; with the form as a whole for "".
	Error(name string) string
	// Has tells whether value is among the values of a field.
	Has(name, value string) bool
}

// Option is one choice of a select, a group of check boxes or of radio
// buttons.
type Option struct {
	Value, Label string
	// Help is a second line below the label; a select does not show it.
	Help     string
	Disabled bool
}

// field is an input, a text area or one check box.
type field struct {
	ID, Name, Label, Help, Error string
	Type, Value                  string
	// Preset is the value to begin with; for one check box, the value it sends.
	Preset                           string
	Placeholder, Autocomplete        string
	Inputmode, Pattern, Accept       string
	Maxlength, Minlength             string
	Min, Max, Step, Rows             string
	Required, Optional, Autofocus    bool
	Readonly, Disabled, Mono, Ticked bool
}

func newField(form Form, name, label string, options ...string) (field, error) {
	made := field{ID: "field-" + name, Name: name, Label: label, Type: "text", Rows: "4"}
	for _, option := range options {
		if err := made.set(option); err != nil {
			return field{}, fmt.Errorf("field %s: %w", name, err)
		}
	}
	made.Value = made.Preset
	if form != nil {
		made.Error = form.Error(name)
		made.Ticked = form.Has(name, cmp.Or(made.Preset, "yes"))
		if given := form.Value(name); given != "" || made.Error != "" {
			made.Value = given
		}
	}
	// What was typed as a password never goes back into a page.
	if made.Type == "password" {
		made.Value = ""
	}
	return made, nil
}

func (f *field) set(option string) error {
	key, value, valued := strings.Cut(option, "=")
	if !valued {
		return f.setFlag(key)
	}
	texts := map[string]*string{
		"type": &f.Type, "value": &f.Preset, "help": &f.Help, "placeholder": &f.Placeholder, "id": &f.ID,
		"autocomplete": &f.Autocomplete, "inputmode": &f.Inputmode, "pattern": &f.Pattern, "accept": &f.Accept,
		"maxlength": &f.Maxlength, "minlength": &f.Minlength, "min": &f.Min, "max": &f.Max, "step": &f.Step, "rows": &f.Rows,
	}
	target := texts[key]
	if target == nil {
		return fmt.Errorf("unknown option %q", key)
	}
	*target = value
	return nil
}

func (f *field) setFlag(name string) error {
	flags := map[string]*bool{
		"required": &f.Required, "optional": &f.Optional, "autofocus": &f.Autofocus,
		"readonly": &f.Readonly, "disabled": &f.Disabled, "mono": &f.Mono,
	}
	target := flags[name]
	if target == nil {
		return fmt.Errorf("unknown option %q", name)
	}
	*target = true
	return nil
}

// DescribedBy are the ids of the texts that explain the field.
func (f field) DescribedBy() string { return describedBy(f.ID, f.Help, f.Error) }

func describedBy(id, help, problem string) string {
	var ids []string
	if help != "" {
		ids = append(ids, id+"-help")
	}
	if problem != "" {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

// choice is a select, a group of check boxes or of radio buttons.
type choice struct {
	ID, Name, Label, Help, Error string
	// Blank is the text of a first option without a value.
	Blank              string
	Required, Optional bool
	Options            []chosen
}

type chosen struct {
	Option
	ID       string
	Selected bool
}

func newChoice(form Form, name, label string, options []Option, settings ...string) (choice, error) {
	made := choice{ID: "field-" + name, Name: name, Label: label}
	preset := ""
	texts := map[string]*string{"help": &made.Help, "blank": &made.Blank, "id": &made.ID, "value": &preset}
	flags := map[string]*bool{"required": &made.Required, "optional": &made.Optional}
	for _, setting := range settings {
		key, value, valued := strings.Cut(setting, "=")
		switch {
		case valued && texts[key] != nil:
			*texts[key] = value
		case !valued && flags[key] != nil:
			*flags[key] = true
		default:
			return choice{}, fmt.Errorf("choice %s: unknown option %q", name, key)
		}
	}
	given := false
	if form != nil {
		made.Error = form.Error(name)
		given = form.Value(name) != "" || made.Error != ""
	}
	for i, option := range options {
		selected := option.Value == preset && preset != ""
		if given {
			selected = form.Has(name, option.Value)
		}
		made.Options = append(made.Options, chosen{Option: option, ID: fmt.Sprintf("%s-%d", made.ID, i), Selected: selected})
	}
	return made, nil
}

// DescribedBy are the ids of the texts that explain the choice.
func (c choice) DescribedBy() string { return describedBy(c.ID, c.Help, c.Error) }
