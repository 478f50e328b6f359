package developer

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"fhirgate/portal/web/page"
)

// maxNetworks bounds allowed networks, as the gateway does.
const maxNetworks = 100

// checkNetworks reads networks and addresses, one a line.
func checkNetworks(form *page.Form) []string {
	networks := lines(form.Value("allow_from"))
	if len(networks) > maxNetworks {
		form.Fail("allow_from", "At most 100 networks.")
	}
	for _, text := range networks {
		if problem := networkProblem(text); problem != "" {
			form.Fail("allow_from", problem)
		}
	}
	return networks
}

// networkProblem tells what is wrong with a network, or with an address; "" =
// nothing.
func networkProblem(text string) string {
	prefix, err := netip.ParsePrefix(text)
	if err == nil {
		if prefix != prefix.Masked() {
			return text + " has bits set beyond its length: the network is " + prefix.Masked().String() + "."
		}
		return ""
	}
	if address, err := netip.ParseAddr(text); err != nil || address.Zone() != "" {
		return text + " is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32."
	}
	return ""
}

// checkKeysURL checks where a client's keys are. What is there the gateway sees
// when it needs it.
func checkKeysURL(form *page.Form, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		form.Fail("jwks_url", "This is no address with a host, such as https://app.example/jwks.json.")
	case u.Scheme != "https":
		form.Fail("jwks_url", "The address must begin with https://.")
	case u.User != nil || u.Fragment != "":
		form.Fail("jwks_url", "The address must have neither a user nor a part after #.")
	}
}

// privateKey is told to those who were about to give a private key away.
const privateKey = "Careful: this is a private key, which nobody but your program may have. It was not kept. If it has been anywhere but here, make another, and register the public half only."

// keysProblem tells what is wrong with the text of a JWK set (RFC 7517 section
// 5) as far as it can be seen without reading the keys, which the gateway does.
// Private keys are found here, so that they are not passed on.
func keysProblem(text string) string {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case holdsPrivateKey(text):
		return privateKey
	case strings.Contains(text, "-----BEGIN"):
		return `This is PEM. A JWK set is JSON: {"keys": […]}. The quick start shows how to make one.`
	case json.Unmarshal([]byte(text), &set) != nil:
		return `This is not JSON. A JWK set looks like {"keys": […]}.`
	case len(set.Keys) == 0:
		return `A JWK set has its keys in a list: {"keys": […]}.`
	default:
		return ""
	}
}

// holdsPrivateKey reports whether a text holds the private half of a key, or one
// that is as good for both, in JSON at any depth or in PEM.
func holdsPrivateKey(text string) bool {
	if strings.Contains(text, "PRIVATE KEY-----") {
		return true
	}
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		return privateWithin(value)
	}
	// What is no JSON, by a comma too much say, may hold one all the same.
	return strings.Contains(text, "kty") && (strings.Contains(text, `"d"`) || strings.Contains(text, "'d'") || strings.Contains(text, `"k"`))
}

func privateWithin(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		if _, key := v["kty"]; key && (v["d"] != nil || v["k"] != nil) {
			return true
		}
		for _, inner := range v {
			if privateWithin(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if privateWithin(inner) {
				return true
			}
		}
	}
	return false
}
