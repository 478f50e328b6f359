package store

import (
	"context"
	"errors"
	"math"
)

// verifyStep is how many acts are read at once: some milliseconds of work.
const verifyStep = 1000

// VerifyActs reads all acts, and tells whether one was changed, added or taken
// away. An earlier state of the whole database cannot be told from within:
// compare the head with one that was noted elsewhere.
func (s *Store) VerifyActs(ctx context.Context) (Verdict, error) {
	return s.VerifyActsInSteps(ctx, verifyStep, func(int64, int64) {})
}

// VerifyActsInSteps is [Store.VerifyActs], and tells after each step of so many
// acts how many were read, and how many there are. It holds no transaction for
// longer than a step: what was read stays as it is, and what is written meanwhile
// is read in its turn.
func (s *Store) VerifyActsInSteps(ctx context.Context, step int64, seen func(read, of int64)) (Verdict, error) {
	v := verifier{chain: s.chain}
	for {
		var end head
		last := false
		err := s.snapshot(ctx, func(q queries) error {
			var err error
			if end, err = one(ctx, q, scanHead, headQuery); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			last, err = v.step(ctx, q, step, end)
			return err
		})
		if err != nil {
			return Verdict{}, err
		}
		seen(v.Count, max(v.Count, end.Count))
		if last {
			return v.Verdict, nil
		}
	}
}

// step reads as many acts as said, and reports whether they were the last ones.
// Those are compared with the head of the trail as it was at the same moment.
func (v *verifier) step(ctx context.Context, q queries, size int64, end head) (last bool, err error) {
	from, to := v.Count+1, v.Count+size
	if v.Count == 0 {
		from = math.MinInt64 // nothing hides before the first act
	}
	take := func(a Act) error { v.next(a); return nil }
	if err := q.eachAct(ctx, take, "WHERE seq BETWEEN ? AND ?", from, to); err != nil || v.Count == to && v.Broken == 0 {
		return false, err
	}
	// Nothing may come behind a step that is short.
	if err := q.eachAct(ctx, take, "WHERE seq = (SELECT MIN(seq) FROM acts WHERE seq > ?)", to); err != nil {
		return false, err
	}
	v.end(end)
	return true, nil
}
