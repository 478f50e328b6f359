package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say which Redis to open.
type Options struct {
	// Redis is a real Redis. Nil means the embedded one.
	Redis *Config
	// Dir is the embedded store's own directory. It is made, with mode 0700, if missing.
	Dir string
	// Counters are the prefixes of keys that may lose their last second at
	// kill -9, for the embedded store. All other keys are durable. Nil means
	// [DefaultCounters], an empty slice none.
	Counters []string
	// Logger gets what the embedded store has to say. Nil means slog.Default().
	Logger *slog.Logger

	// Replaced by tests; zero means time.Now, createFile and compactMinimum.
	now            func() time.Time
	create         func(path string) (file, error)
	compactMinimum int64
}

// DefaultCounters returns the prefixes of the gateway's and Tyk's limits and quotas,
// of the usage of consumers, and of hospitals' access tokens, of which a lost one
// is fetched again.
func DefaultCounters() []string {
	return []string{"limit:", "rate-limit-", "quota-", "fhirgate:usage:", "token:"}
}

// Store is an open Redis.
type Store struct {
	client   redis.UniversalClient
	warnings []string

	// Of the embedded store only.
	embedded *embedded
	lock     *os.File
	addr     *net.TCPAddr
	password string
}

// Open connects to the Redis of the options, or starts the embedded one and
// loads its keys. The embedded store refuses a directory in use ([ErrInUse]) and
// a damaged journal ([ErrCorrupt]); wrong settings are an [ErrConfig]. A real
// Redis must answer before ctx ends.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Redis != nil {
		client, warnings, err := connect(ctx, o.Redis)
		if err != nil {
			return nil, err
		}
		return &Store{client: client, warnings: warnings}, nil
	}
	if o.Dir == "" {
		return nil, fmt.Errorf("%w: neither a Redis nor a directory is set", ErrConfig)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s, err := openEmbedded(ctx, o)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

func openEmbedded(ctx context.Context, o Options) (*Store, error) {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	counters := o.Counters
	if counters == nil {
		counters = DefaultCounters()
	}
	s := &Store{password: rand.Text()}
	if open, err := openToOthers(o.Dir); err != nil {
		return nil, err
	} else if open {
		s.warnings = append(s.warnings, fmt.Sprintf("store: other users of this machine may enter %s; chmod it to 0700", o.Dir))
	}
	states, err := readJournal(o.Dir, log)
	if err != nil {
		return nil, err
	}
	if s.embedded, err = newEmbedded(o.Dir, counters, log); err != nil {
		return nil, err
	}
	if o.now != nil {
		s.embedded.now = o.now
	}
	if o.create != nil {
		s.embedded.journal.create = o.create
	}
	if o.compactMinimum != 0 {
		s.embedded.journal.minimum = o.compactMinimum
	}
	if err := s.embedded.load(states); err != nil {
		return nil, err
	}
	if err := s.embedded.journal.start(); err != nil {
		return nil, err
	}
	if s.addr, err = s.embedded.listen(s.password); err != nil {
		return nil, errors.Join(err, s.embedded.close())
	}
	s.client = redis.NewClient(&redis.Options{
		Addr:                     s.addr.String(),
		Password:                 s.password,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(err, s.client.Close(), s.embedded.close())
	}
	return s, nil
}

// Client returns the client of the store, open until [Store.Close].
func (s *Store) Client() redis.UniversalClient {
	return s.client
}

// Embedded says whether the store is the one in this process.
func (s *Store) Embedded() bool {
	return s.embedded != nil
}

// Addr returns where the embedded store listens, on the loopback interface, and
// the password of its default user, made at start. All are zero for a real Redis.
func (s *Store) Addr() (host string, port int, password string) {
	if s.embedded == nil {
		return "", 0, ""
	}
	return s.addr.IP.String(), s.addr.Port, s.password
}

// Warnings returns what the store's settings put at risk, as found at start, one sentence or two each.
func (s *Store) Warnings() []string {
	return s.warnings
}

// Failed yields one error when the embedded store can no longer write to its
// disk. From then on it answers every command with an error, until it is opened
// again. A real Redis never yields one.
func (s *Store) Failed() <-chan error {
	if s.embedded == nil {
		return nil
	}
	return s.embedded.journal.failures
}

// Close ends all connections and, for the embedded store, writes what is left to
// disk. Close it once, after everything that uses it.
func (s *Store) Close() error {
	err := s.client.Close()
	if s.embedded != nil {
		err = errors.Join(err, s.embedded.close(), s.lock.Close())
	}
	return err
}
