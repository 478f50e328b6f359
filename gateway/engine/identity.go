package engine

import (
	"net/http"
	"strings"
)

// identityHeaders are those in which proxies and gateways tell a server whom
// they have authenticated, or which method is meant. Nothing here believes them;
// they are taken away so that nothing ever can. A name that ends with "-" stands
// for all that begin so.
var identityHeaders = []string{
	"Remote-User", "Remote-Groups", "X-Remote-", "X-User", "X-User-", "X-Userinfo",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Authenticated-", "X-Auth-Request-", "X-Consumer-", "X-Credential-", "X-Anonymous-Consumer",
	"X-Goog-Authenticated-", "X-Goog-Iap-", "X-Amzn-Oidc-", "X-Ms-Client-Principal", "X-Ms-Client-Principal-",
	"X-Client-Cert", "X-Client-Cert-", "X-Client-Verify", "X-Ssl-", "X-Forwarded-Client-Cert", "Client-Cert", "Client-Cert-",
	"X-Tyk-", "X-Http-Method", "X-Http-Method-", "X-Method-Override",
}

// stripIdentity removes them from what a caller sent.
func stripIdentity(header http.Header) {
	for name := range header {
		if name[0] != 'X' && name[0] != 'R' && name[0] != 'C' {
			continue
		}
		for _, identity := range identityHeaders {
			if name == identity || strings.HasSuffix(identity, "-") && strings.HasPrefix(name, identity) {
				delete(header, name)
				break
			}
		}
	}
}
