package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"
)

// newToken returns 256 random bits as they stand in links.
func newToken() string {
	bits := make([]byte, 32)
	_, _ = rand.Read(bits) // never fails
	return base64.RawURLEncoding.EncodeToString(bits)
}

// hashed is how tokens, which are random, stand in the database.
func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// NewToken makes a token that can be taken once within its life. Earlier ones of
// the kind and the e-mail address are void from then on.
func (s *Store) NewToken(ctx context.Context, kind, email string, life time.Duration) (string, error) {
	token, now := newToken(), s.now()
	err := s.transact(ctx, "tokens", func(q queries) error {
		_, err := q.exec(ctx, "DELETE FROM tokens WHERE (email = ? AND kind = ?) OR expires <= ?", address(email), kind, stamp(now))
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, "INSERT INTO tokens (hash, kind, email, expires) VALUES (?, ?, ?, ?)",
			hashed(token), kind, address(email), stamp(now.Add(life)))
		return err
	})
	return token, err
}

// TakeToken uses up a token and returns whose it is. ErrNotFound when there is
// none, or it was taken, or its life is over.
func (s *Store) TakeToken(ctx context.Context, kind, token string) (string, error) {
	return one(ctx, queries{s.writes, s.dialect}, value[string],
		"DELETE FROM tokens WHERE hash = ? AND kind = ? AND expires > ? RETURNING email", hashed(token), kind, stamp(s.now()))
}

// PeekToken is TakeToken that leaves the token as it is.
func (s *Store) PeekToken(ctx context.Context, kind, token string) (string, error) {
	return one(ctx, s.read(), value[string],
		"SELECT email FROM tokens WHERE hash = ? AND kind = ? AND expires > ?", hashed(token), kind, stamp(s.now()))
}
