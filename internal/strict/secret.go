package strict

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Secret is a value that a file names without holding it: {env: NAME} or
// {file: PATH}. A plain string is allowed where a value is no secret (a client
// id). It prints as <secret> everywhere.
type Secret struct {
	source string // "env NAME", "file PATH" or "" for a plain string
	value  string
	err    error
}

// UnmarshalYAML reads {env: NAME}, {file: PATH} or a string.
func (s *Secret) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*s = Secret{value: node.Value}
		return nil
	}
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 {
		return errors.New("must be {env: NAME} or {file: PATH}")
	}
	key, name := node.Content[0].Value, node.Content[1].Value
	switch key {
	case "env":
		value, ok := os.LookupEnv(name)
		*s = Secret{source: "env " + name, value: value}
		if !ok || value == "" {
			s.err = fmt.Errorf("the environment variable %s is not set", name)
		}
	case "file":
		data, err := os.ReadFile(name)
		*s = Secret{source: "file " + name, value: strings.TrimRight(string(data), "\r\n")}
		if err != nil {
			s.err = fmt.Errorf("the file %s cannot be read", name)
		} else if s.value == "" {
			s.err = fmt.Errorf("the file %s is empty", name)
		}
	default:
		return errors.New("must be {env: NAME} or {file: PATH}")
	}
	return nil
}

// Reveal returns the value, or an error that names the source which lacks it.
func (s Secret) Reveal() (string, error) { return s.value, s.err }

// Given reports whether anything was written for s.
func (s Secret) Given() bool { return s.source != "" || s.value != "" }

// Plain reports whether the value stands in the file itself.
func (s Secret) Plain() bool { return s.source == "" && s.value != "" }

// String returns "<secret>".
func (s Secret) String() string { return "<secret>" }

// GoString returns "<secret>".
func (s Secret) GoString() string { return "<secret>" }

// LogValue returns "<secret>".
func (s Secret) LogValue() slog.Value { return slog.StringValue("<secret>") }

// MarshalYAML returns "<secret>".
func (s Secret) MarshalYAML() (any, error) { return "<secret>", nil }

// MarshalJSON returns "<secret>".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"<secret>"`), nil }
