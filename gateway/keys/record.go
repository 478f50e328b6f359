package keys

import (
	"slices"
	"time"

	"fhirgate/gateway/keys/record"
)

type (
	// Key is the record of a consumer.
	Key = record.Key
	// Kind says what a consumer shows to be let in.
	Kind = record.Kind
	// Secret is one secret of a key.
	Secret = record.Secret
	// Certificate is a client certificate that a consumer may present.
	Certificate = record.Certificate
)

// The kinds of consumers.
const (
	KindKey         = record.KindKey
	KindClient      = record.KindClient
	KindExternal    = record.KindExternal
	KindCertificate = record.KindCertificate
)

// secretOf returns the secret of a hash, nil when the record has none.
func secretOf(k *Key, hash string) *Secret {
	for i := range k.Secrets {
		if k.Secrets[i].Hash == hash {
			return &k.Secrets[i]
		}
	}
	return nil
}

// settle writes down when each secret ends.
func settle(k *Key) {
	for i := range k.Secrets {
		k.Secrets[i].Expires = earlier(k.Secrets[i].Until, k.Expires)
	}
}

// prune forgets secrets and certificates that have ended, and returns the
// hashes of the secrets.
func prune(k *Key, now time.Time) (gone []string) {
	k.Secrets = slices.DeleteFunc(k.Secrets, func(s Secret) bool {
		if record.Ended(s.Until, now) {
			gone = append(gone, s.Hash)
		}
		return record.Ended(s.Until, now)
	})
	pruneCertificates(k, now)
	return gone
}

func pruneCertificates(k *Key, now time.Time) {
	k.Certificates = slices.DeleteFunc(k.Certificates, func(c Certificate) bool { return record.Ended(c.Until, now) })
}

// earlier returns the earlier of two ends, zero for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
