package keys

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is taken for a network is one, and means the same when it is read again.
func FuzzNetworks(f *testing.F) {
	for _, text := range []string{"192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "::ffff:192.0.2.0/120", "::ffff:0:0/95", "fe80::1%eth0", "1/1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		prefix, err := ParseAllowed(text)
		if err != nil {
			return
		}
		require.True(t, prefix.IsValid())
		require.Equal(t, prefix.Masked(), prefix)
		again, err := ParseAllowed(prefix.String())
		require.NoError(t, err)
		require.Equal(t, prefix, again)
	})
}

// What is taken for a certificate has a fingerprint that is taken for the same.
func FuzzCertificates(f *testing.F) {
	for _, text := range []string{
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "AB:CD", "",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		f.Add(text)
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseCertificate(text, now)
		if err != nil {
			return
		}
		fingerprint, err := ParseFingerprint(parsed.SHA256)
		require.NoError(t, err)
		require.Equal(t, parsed.SHA256, fingerprint)
	})
}
