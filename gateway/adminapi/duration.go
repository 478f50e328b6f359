package adminapi

import (
	"errors"
	"time"
)

// Duration is a time.Duration that JSON writes as "24h0m0s".
type Duration time.Duration

// UnmarshalText reads a duration such as "24h"; "" is 0.
func (d *Duration) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	parsed, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return errors.New(`is not a duration such as "24h"`)
	case parsed < 0:
		return errors.New("a duration is not negative")
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
