package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// line is a line of an export: an act, or the head of the trail as the last one.
type line struct {
	*Act
	End *head `json:"head,omitempty"`
}

// ExportActs writes all acts as JSON lines, the oldest first, and behind them the
// sealed head of the trail, {"head":{…}}. It returns the hash and the number of
// the last act, to be noted elsewhere.
func (s *Store) ExportActs(ctx context.Context, w io.Writer) (string, int64, error) {
	var end head
	err := s.snapshot(ctx, func(q queries) error {
		var err error
		if end, err = one(ctx, q, scanHead, headQuery); err != nil {
			return err
		}
		out := json.NewEncoder(w)
		if err := q.eachAct(ctx, func(a Act) error { return out.Encode(line{Act: &a}) }, ""); err != nil {
			return err
		}
		return out.Encode(line{End: &end})
	})
	return end.Hash, end.Count, err
}

// eachAct calls take for the acts of a condition, which is empty for all, the
// oldest first.
func (q queries) eachAct(ctx context.Context, take func(Act) error, where string, args ...any) error {
	return q.each(ctx, func(r row) error {
		a, err := scanAct(r)
		if err != nil {
			return err
		}
		return take(a)
	}, "SELECT "+actColumns+" FROM acts "+where+" ORDER BY seq", args...)
}

// VerifyExport is [Store.VerifyActs] for what ExportActs wrote. The key is that of
// the acts.
func VerifyExport(r io.Reader, key []byte) Verdict {
	v := verifier{chain: chain{key: key}}
	in := json.NewDecoder(bufio.NewReader(r))
	in.DisallowUnknownFields()
	for {
		var next line
		err := in.Decode(&next)
		switch {
		case errors.Is(err, io.EOF):
			v.broken(v.Count+1, "the export ends without the head of the trail")
		case err != nil || (next.Act == nil) == (next.End == nil):
			v.broken(v.Count+1, fmt.Sprintf("what follows act %d is no act", v.Count))
		case next.End != nil:
			v.end(*next.End)
			if v.Broken == 0 && in.More() {
				v.broken(v.Count+1, "something follows the head of the trail")
			}
		case v.next(*next.Act):
			continue
		}
		return v.Verdict
	}
}
