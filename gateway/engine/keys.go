package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrNoKey is returned when Tyk doesn't know a key.
var ErrNoKey = errors.New("engine: no such key")

// tokenPrefix lets secret scanners and people tell a key of the gateway.
const tokenPrefix = "fg_"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewToken returns a new key: "fg_" and 43 random characters (256 bits).
func NewToken() string {
	token := append(make([]byte, 0, len(tokenPrefix)+43), tokenPrefix...)
	for len(token) < cap(token) {
		var b [64]byte
		rand.Read(b[:]) // never fails (crypto/rand)
		for _, c := range b {
			// 248 is the largest multiple of 62 in a byte: no character is favoured.
			if c < 248 && len(token) < cap(token) {
				token = append(token, base62[c%62])
			}
		}
	}
	return string(token)
}

// ValidToken reports whether token has the form that NewToken makes. Nothing
// else may reach KeyHash, because Tyk puts a key into JSON unescaped.
func ValidToken(token string) bool {
	if len(token) != len(tokenPrefix)+43 || token[:len(tokenPrefix)] != tokenPrefix {
		return false
	}
	for _, c := range []byte(token[len(tokenPrefix):]) {
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}

// KeyHash returns the name under which Tyk stores a key: the SHA-256 of Tyk's
// own form of it, base64 of {"org":…,"id":token,"h":"sha256"}. Tyk only uses
// SHA-256 for keys in that form; any other it would hash with 32-bit murmur.
func KeyHash(token string) string {
	const head, tail = `{"org":"` + orgID + `","id":"`, `","h":"sha256"}`
	var plain [128]byte
	var encoded [176]byte
	form := append(append(append(plain[:0], head...), token...), tail...)
	sum := sha256.Sum256(base64.StdEncoding.AppendEncode(encoded[:0], form))
	return hex.EncodeToString(sum[:])
}

// KeyName returns the Redis key of a key's session, which is a string value:
// the session as JSON (see Session).
func KeyName(token string) string { return KeyNameOfHash(KeyHash(token)) }

// KeyNameOfHash returns the Redis key of the session of a key of this hash.
func KeyNameOfHash(hash string) string { return "apikey-" + hash }

// Session is what Tyk stores for a key, without what only its own limits use.
// Its JSON is Tyk's.
type Session struct {
	Alias    string         `json:"alias,omitempty"`
	Policies []string       `json:"apply_policies"`
	Metadata map[string]any `json:"meta_data,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
	Inactive bool           `json:"is_inactive,omitempty"`
	Expires  int64          `json:"expires,omitempty"`     // Unix seconds; 0 = never
	Created  time.Time      `json:"date_created,omitzero"` // set by Tyk
	Org      string         `json:"org_id"`                // always the gateway's one organisation
}

// ParseSession reads the value at KeyName.
func ParseSession(data []byte) (Session, error) {
	var s Session
	if err := json.Unmarshal(data, &s); err != nil {
		return Session{}, errors.New("engine: a stored session is damaged")
	}
	return s, nil
}

// CreateKey stores a session for token, which must come from NewToken. Every
// policy of the session must exist: Tyk takes the access rights from them and
// refuses a key without any.
func (e *Engine) CreateKey(ctx context.Context, token string, session Session) error {
	if !ValidToken(token) {
		return errors.New("engine: not a token of NewToken")
	}
	session.Org = orgID
	var made struct {
		Hash string `json:"key_hash"`
	}
	if err := e.control.do(ctx, http.MethodPost, "/tyk/keys/"+token, session, &made); err != nil {
		return err
	}
	if made.Hash != KeyHash(token) {
		return fmt.Errorf("engine: Tyk stored a key under another name than expected")
	}
	return nil
}

// UpdateKey replaces the session of the key of this hash.
func (e *Engine) UpdateKey(ctx context.Context, hash string, session Session) error {
	session.Org = orgID
	return noKey(e.control.do(ctx, http.MethodPut, "/tyk/keys/"+hash+"?hashed=true", session, nil))
}

// DeleteKey removes the key of this hash, or returns ErrNoKey. It is no
// revocation by itself: see the facade's tombstones.
func (e *Engine) DeleteKey(ctx context.Context, hash string) error {
	return noKey(e.control.do(ctx, http.MethodDelete, "/tyk/keys/"+hash+"?hashed=true&org_id="+orgID, nil, nil))
}

// Key returns the session of the key of this hash, or ErrNoKey.
func (e *Engine) Key(ctx context.Context, hash string) (Session, error) {
	var s Session
	err := e.control.do(ctx, http.MethodGet, "/tyk/keys/"+hash+"?hashed=true&org_id="+orgID, nil, &s)
	return s, noKey(err)
}

// Keys returns the hashes of all keys, in no order. It scans the whole store.
func (e *Engine) Keys(ctx context.Context) ([]string, error) {
	var listed struct {
		Hashes []string `json:"keys"`
	}
	err := e.control.do(ctx, http.MethodGet, "/tyk/keys", nil, &listed)
	return listed.Hashes, err
}

func noKey(err error) error {
	var refused *ControlError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return ErrNoKey
	}
	return err
}
