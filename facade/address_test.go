package facade

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCallersAddress(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tc := range map[string]struct {
		peer, forwarded string
		proxies         Proxies
		want            string
	}{
		"no proxy is trusted":           {"10.1.1.1:1", "192.0.2.9", nil, "10.1.1.1"},
		"a stranger's header":           {"198.51.100.1:1", "192.0.2.9", proxies, "198.51.100.1"},
		"a proxy's":                     {"10.1.1.1:1", "192.0.2.9", proxies, "192.0.2.9"},
		"a forged one before a proxy's": {"10.1.1.1:1", "10.9.9.9, 203.0.113.5, 192.0.2.9", proxies, "192.0.2.9"},
		"two proxies":                   {"10.1.1.1:1", "192.0.2.9, 10.2.2.2", proxies, "192.0.2.9"},
		"inside the network":            {"10.1.1.1:1", "10.2.2.2", proxies, "10.2.2.2"},
		"a proxy that says nothing":     {"10.1.1.1:1", "", proxies, "10.1.1.1"},
		"a proxy that says nonsense":    {"10.1.1.1:1", "unknown", proxies, ""},
		"mapped into IPv6":              {"[::ffff:10.1.1.1]:1", "::ffff:192.0.2.9", proxies, "192.0.2.9"},
		"IPv6":                          {"[fd00::1]:1", "2001:db8::7", proxies, "2001:db8::7"},
		"no address at all":             {"@", "192.0.2.9", proxies, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{}}
			if tc.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			got := tc.proxies.Address(r)
			if tc.want == "" {
				require.False(t, got.IsValid())
				return
			}
			require.Equal(t, tc.want, got.String())
		})
	}
}
