// Package credentials keeps two stores in step: the portal's records in SQL, and
// the gateway's keys, which it changes through the admin API.
//
// The portal's record always comes first: it says what is about to happen, and
// the key's id is chosen here, so that a process that is killed between the two
// leaves a record that tells what to look for. [Service.Run] looks at the next
// start, and from time to time, and brings both together again:
//
//   - a key that was being made is revoked, as nobody has seen its secret;
//   - of a rotation, a secret that nobody has seen is withdrawn, and so is one that
//     the record has dropped;
//   - a revocation is completed;
//   - a key of the command line gets a record;
//   - a key whose record says that it must not work is revoked;
//   - a record whose key is gone says so;
//   - what no person has decided on ends when it reaches a hospital that is no
//     sandbox any more.
package credentials

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// Gateway is the part of the admin API that credentials need.
type Gateway interface {
	Create(context.Context, adminapi.NewKey) (*adminapi.IssuedKey, error)
	List(context.Context) ([]*record.Key, error)
	Show(ctx context.Context, id string) (*record.Key, error)
	Update(ctx context.Context, id string, changes adminapi.KeyChanges) (*record.Key, error)
	Rotate(ctx context.Context, id string, rotation adminapi.Rotation) (*adminapi.IssuedKey, error)
	Revoke(ctx context.Context, id string) (*record.Key, error)
	WithdrawSecret(ctx context.Context, id, hash string) (*record.Key, error)
	Hospitals(context.Context) ([]adminapi.Hospital, error)
}

// Service makes, rotates and revokes credentials. It is safe for concurrent use,
// also by several portals on one store.
type Service struct {
	store   *store.Store
	gateway Gateway
	log     *slog.Logger
	now     func() time.Time
	began   time.Time // what was begun before is another process's

	started bool        // Start has come through; only Start and Run look
	behind  atomic.Bool // something could not be ended at the gateway: Sync is due
	givenUp sync.Map    // when this process gave a change up, by credential id
}

// New returns a service. Its log names ids only.
func New(records *store.Store, gateway Gateway, log *slog.Logger) *Service {
	return &Service{store: records, gateway: gateway, log: log, now: time.Now, began: time.Now()}
}

// Wanted is what a credential is made from.
type Wanted struct {
	RequestID string          // of an approved request; plan and hospitals come from it
	Name      string          // for people
	Kind      string          // record.KindKey or record.KindClient
	Life      time.Duration   // 0 = as long as the access; never longer than that
	NoSecret  bool            // for a client that signs with its own keys only
	JWKS      json.RawMessage // of a client: its public keys,
	JWKSURL   string          // or where they are
	AllowFrom []string        // networks and addresses; none = from everywhere
}

// Issued is a credential with a new secret, which is kept nowhere: whoever made
// it shows it, once.
type Issued struct {
	Credential store.Credential
	Secret     string // "" when the kind has none
	TokenURL   string // where a client gets its tokens
}

// finishing bounds what is done at the gateway once the record was written, also
// when the one who asked has left.
const finishing = 20 * time.Second

// detached returns a context that the caller cannot end.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), finishing)
}

// isRefusal reports whether the gateway has said no, so that nothing has changed
// there. After any other error that is not known.
func isRefusal(err error) bool {
	var refusal *adminapi.Refusal
	return errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError
}

// newKeyID returns a new id of the form that the gateway gives to consumers.
func newKeyID() string { return "key_" + strings.ToLower(rand.Text()[:16]) }

// hintsOf returns what is kept here of the secrets of a key.
func hintsOf(key *record.Key) []store.SecretHint {
	hints := make([]store.SecretHint, len(key.Secrets))
	for i, s := range key.Secrets {
		hints[i] = store.SecretHint{Hash: s.Hash, Hint: s.Hint, Created: s.Created, Until: s.Until}
	}
	return hints
}

func mirrorOf(key *record.Key) store.Mirror {
	return store.Mirror{
		KeyID: key.ID, Name: key.Name, Plan: key.Plan, Hospitals: key.Hospitals,
		Expires: key.Expires, LastUsed: key.LastUsed, Hints: hintsOf(key),
	}
}
