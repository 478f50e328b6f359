package usage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrCursor says that a cursor is none that a [Reader] has given.
var ErrCursor = errors.New("the cursor is none of an earlier answer")

// cursor is how far a reader has come: for each day ("2006-01-02") the place of
// the last change that it saw.
type cursor map[string]int64

// parseCursor reads what String has written. "" is the beginning.
func parseCursor(text string) (cursor, error) {
	c := cursor{}
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		name, place, _ := strings.Cut(part, "_")
		if _, err := time.Parse(time.DateOnly, name); err != nil {
			return nil, fmt.Errorf("%w: a day is wrong", ErrCursor)
		}
		number, err := strconv.ParseInt(place, 10, 64)
		if err != nil || number < 0 {
			return nil, fmt.Errorf("%w: a place is wrong", ErrCursor)
		}
		c[name] = number
	}
	return c, nil
}

// String returns the cursor as text.
func (c cursor) String() string {
	parts := make([]string, 0, len(c))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, name+"_"+strconv.FormatInt(c[name], 10))
	}
	return strings.Join(parts, ",")
}
