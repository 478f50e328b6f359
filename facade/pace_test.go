package facade

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoDeadlineBehindABody reads a body to its end: each piece has a deadline,
// and what comes behind the last one has none, or a hospital that takes longer
// to answer would lose its caller.
func TestNoDeadlineBehindABody(t *testing.T) {
	var set []bool // whether there is a deadline, each time that it changes
	body := &pacedBody{
		ReadCloser: io.NopCloser(strings.NewReader("abc")),
		deadline:   func(at time.Time) error { set = append(set, !at.IsZero()); return nil },
	}
	piece := make([]byte, 2)
	_, err := body.Read(piece)
	require.NoError(t, err)
	require.Equal(t, []bool{true}, set)
	_, err = io.ReadAll(body)
	require.NoError(t, err)
	require.False(t, set[len(set)-1])
}
