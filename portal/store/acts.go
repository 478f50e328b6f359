package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Act is an entry of the trail: something that somebody did.
type Act struct {
	Seq      int64             `json:"seq"`  // from 1, without gaps
	Time     time.Time         `json:"time"` // to the microsecond
	UserID   string            `json:"user_id,omitempty"`
	UserName string            `json:"user_name,omitempty"`
	Address  string            `json:"address,omitempty"`
	Name     string            `json:"name"` // such as access.approve
	Kind     string            `json:"kind"` // of the subject: user, team, app, …
	Subject  string            `json:"subject,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"` // never a secret
	Previous string            `json:"previous"`         // hash of the act before; "" = there is none
	Hash     string            `json:"hash"`             // HMAC-SHA-256 over all other fields, in hex
}

// ActFilter chooses acts. Empty fields choose all.
type ActFilter struct {
	Search   string // in user name, name, subject and detail
	Name     string
	UserID   string
	Subjects []string  // of any of these subjects
	From     time.Time // included
	To       time.Time // excluded
	Before   int64     // only acts of a lower seq; 0 = all
}

// Verdict is what a verification of the acts found.
type Verdict struct {
	Count   int64  // acts that were read
	Head    string // hash of the last one
	Broken  int64  // first seq at which something is wrong; 0 = nothing is
	Problem string // what is wrong; "" = nothing is
}

const actColumns = "seq, time, user_id, user_name, address, name, kind, subject, detail, previous, hash"

func scanAct(r row) (Act, error) {
	var a Act
	var micros int64
	err := r.Scan(&a.Seq, &micros, &a.UserID, &a.UserName, &a.Address, &a.Name, &a.Kind, &a.Subject,
		detailOf{&a.Detail}, &a.Previous, &a.Hash)
	a.Time = time.UnixMicro(micros).UTC()
	return a, err
}

// detailOf reads the detail of an act. One that is not as it was written, by a
// letter or in all, stands as a whole under a name of its own: verification finds
// the act, and the others can be looked at.
type detailOf struct{ to *map[string]string }

// Scan implements sql.Scanner.
func (d detailOf) Scan(from any) error {
	var detail map[string]string
	err := fromJSON[map[string]string]{&detail}.Scan(from)
	if err != nil || detail == nil || asJSON(detail) != from {
		detail = map[string]string{"unreadable": fmt.Sprint(from)}
	}
	*d.to = detail
	return nil
}

// head is where the trail ends.
type head struct {
	Count int64  `json:"count"`
	Hash  string `json:"hash"` // of the last act
	MAC   string `json:"mac"`  // HMAC-SHA-256 over the two, in hex
}

func scanHead(r row) (head, error) {
	var h head
	err := r.Scan(&h.Count, &h.Hash, &h.MAC)
	return h, err
}

const headQuery = "SELECT count, hash, mac FROM acts_head"

// foundActs puts the head of the trail into its place in a new database, in which
// nothing has been done. Any other has a head, unless it was taken away, which a new
// one would hide.
func (s *Store) foundActs(ctx context.Context) error {
	return s.transact(ctx, "acts", func(q queries) error {
		_, err := q.exec(ctx, `INSERT INTO acts_head (one, count, hash, mac)
			SELECT 1, 0, '', CAST(? AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM acts_head)`,
			s.chain.seal(head{}))
		return err
	})
}

// checkKey returns ErrActsKey when neither the last act nor the head of the trail is
// as it would be with this key.
func (s *Store) checkKey(ctx context.Context) error {
	last, err := all(ctx, s.read(), scanAct, "SELECT "+actColumns+" FROM acts ORDER BY seq DESC LIMIT 1")
	if err != nil || len(last) == 0 {
		return err
	}
	end, err := one(ctx, s.read(), scanHead, headQuery)
	if err != nil && !errors.Is(err, ErrNotFound) { // a head that was taken away is for VerifyActs to tell
		return err
	}
	if !s.chain.sealed(end) && s.chain.hash(last[0]) != last[0].Hash {
		return ErrActsKey
	}
	return nil
}

// appendAct writes an act behind the last one. A head that somebody has changed is
// not sealed anew, so that it is found however much is done after it.
func (s *Store) appendAct(ctx context.Context, q queries, by By, done act) error {
	end, err := one(ctx, q, scanHead, headQuery)
	if err != nil {
		return fmt.Errorf("the head of the acts: %w", err)
	}
	a := Act{
		Seq: end.Count + 1, Time: s.now().UTC().Truncate(time.Microsecond), UserID: clean(by.UserID), UserName: clean(by.Name),
		Name: clean(done.name), Kind: clean(done.kind), Subject: clean(done.subject), Previous: end.Hash,
	}
	if by.Address.IsValid() {
		a.Address = by.Address.String()
	}
	a.Detail = make(map[string]string, len(done.detail))
	for name, text := range done.detail {
		a.Detail[clean(name)] = clean(text)
	}
	a.Hash = s.chain.hash(a)
	_, err = q.exec(ctx, "INSERT INTO acts ("+actColumns+") VALUES ("+marks(11)+")", a.Seq, a.Time.UnixMicro(), a.UserID,
		a.UserName, a.Address, a.Name, a.Kind, a.Subject, asJSON(a.Detail), a.Previous, a.Hash)
	if err != nil {
		return err
	}
	next := head{Count: a.Seq, Hash: a.Hash, MAC: end.MAC}
	if s.chain.sealed(end) {
		next.MAC = s.chain.seal(next)
	}
	_, err = q.exec(ctx, "UPDATE acts_head SET count = ?, hash = ?, mac = ?", next.Count, next.Hash, next.MAC)
	return err
}

// Record writes an act that changed nothing in the store. Its detail must hold no
// secret and nothing about patients.
func (s *Store) Record(ctx context.Context, by By, name, kind, subject string, detail map[string]string) error {
	return s.change(ctx, by, func(queries) (act, error) { return act{name, kind, subject, detail}, nil })
}
