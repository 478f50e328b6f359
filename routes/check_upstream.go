package routes

import (
	"crypto/sha256"
	"net/url"
	"os"
	"strconv"

	"fhirgate/internal/strict"
)

func checkHosts(doc *strict.Document, place string, hosts []string) {
	for i, host := range hosts {
		if parsed, err := url.Parse("https://" + host); err != nil || parsed.Host != host || parsed.Hostname() == "" {
			doc.Fail(place+"."+strconv.Itoa(i), "must be a host name with or without a port, such as files.example:8443")
		}
	}
}

func (u *Upstream) checkTransport(doc *strict.Document) {
	checkHosts(doc, "upstream.redirect_hosts", u.RedirectHosts)
	if u.MaxAnswer < 0 {
		doc.Fail("upstream.max_answer", "must be a number of bytes above 0")
	}
	if c := u.ClientCert; c != nil && (c.CertFile == "" || c.KeyFile == "") {
		doc.Fail("upstream.client_cert", "needs cert_file and key_file")
	}
	u.files = u.fileDigest()
	if !u.Proxy.Given() {
		return
	}
	value, err := u.Proxy.Reveal()
	if err != nil {
		doc.Fail("upstream.proxy", "%s", err)
		return
	}
	parsed, err := url.Parse(value)
	switch {
	case err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https"):
		doc.Fail("upstream.proxy", "must be an absolute http or https URL")
	case parsed.User != nil && u.Proxy.Plain():
		doc.Fail("upstream.proxy", "must not stand in the file when it holds a password: write {env: NAME} or {file: PATH}")
	}
}

// fileDigest returns a digest of the certificates that the route names. Whether
// they can be used shows when the client is made.
func (u *Upstream) fileDigest() (digest [sha256.Size]byte) {
	names := []string{u.CAFile}
	if u.ClientCert != nil {
		names = append(names, u.ClientCert.CertFile, u.ClientCert.KeyFile)
	}
	sum := sha256.New()
	for _, name := range names {
		data, _ := os.ReadFile(name) // unreadable is a state too
		sum.Write(data)
		sum.Write([]byte{0})
	}
	sum.Sum(digest[:0])
	return digest
}

func (b *Budget) check(doc *strict.Document) {
	const place = "upstream.budget"
	if b.Requests < 0 {
		doc.Fail(place+".requests", "must be 0 or more")
	}
	if b.Concurrency < 0 {
		doc.Fail(place+".concurrency", "must be 0 or more")
	}
	if b.Bare429 != "" && b.Bare429 != UntilMinute {
		doc.Fail(place+".bare_429", "%s", strict.Unknown("meaning", b.Bare429, []string{UntilMinute}))
	}
	if doc.Has(place) && b.Requests == 0 && b.Concurrency == 0 && b.Bare429 == "" && b.QuotaText == "" {
		doc.Fail(place, "limits nothing: give requests, concurrency, bare_429 or quota_text")
	}
}

func (r *Resilience) check(doc *strict.Document) {
	if r.Retries != nil && (*r.Retries < 0 || *r.Retries > 5) {
		doc.Fail("upstream.resilience.retries", "must be 0 to 5")
	}
	if r.Breaker.Calls < 0 {
		doc.Fail("upstream.resilience.breaker.calls", "must be 1 or more")
	}
}
