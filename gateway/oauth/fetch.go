package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"fhirgate/internal/guarded"
)

const (
	fetchTimeout = 5 * time.Second
	maxFetched   = 1 << 20 // of an answer, in bytes
	maxRedirects = 3

	shortestAge = time.Minute      // for which an answer is kept
	usualAge    = 10 * time.Minute // when it does not say
	longestAge  = time.Hour
)

// reach is which addresses a fetcher may go to.
type reach struct {
	private bool // those inside our own network, too
	plain   bool // http, too
}

// fetcher fetches what keys are published in. It goes straight to the host,
// follows no redirect to another one, and holds a bounded answer.
type fetcher struct {
	client *http.Client
	plain  bool
}

func newFetcher(roots *x509.CertPool, to reach) *fetcher {
	dialer := &net.Dialer{Timeout: fetchTimeout}
	if !to.private {
		dialer.Control = guarded.Control(func() error { return errors.New("the host has a private address, which is not allowed") })
	}
	return &fetcher{
		plain: to.plain,
		client: &http.Client{
			Timeout: fetchTimeout,
			Transport: &http.Transport{
				DialContext:         dialer.DialContext,
				TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
				TLSHandshakeTimeout: fetchTimeout,
				ForceAttemptHTTP2:   true,
				MaxIdleConns:        16,
				IdleConnTimeout:     30 * time.Second,
			},
			CheckRedirect: func(to *http.Request, via []*http.Request) error {
				first := via[0].URL
				if to.URL.Scheme != first.Scheme || to.URL.Host != first.Host || len(via) > maxRedirects {
					return errors.New("it redirects to another host, or too often")
				}
				return nil
			},
		},
	}
}

// get returns what is at a URL, and how long it may be kept. Errors do not hold
// the URL.
func (f *fetcher) get(ctx context.Context, from string) ([]byte, time.Duration, error) {
	if err := checkURL(from, f.plain); err != nil {
		return nil, 0, fmt.Errorf("its URL cannot be fetched: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, 0, errors.New("its URL cannot be fetched")
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	response, err := f.client.Do(request)
	if failed := new(url.Error); errors.As(err, &failed) {
		return nil, 0, failed.Err
	}
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("it answers with status %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxFetched+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(data) > maxFetched:
		return nil, 0, errors.New("it answers with more than 1 MiB")
	default:
		return data, ageOf(response.Header.Get("Cache-Control")), nil
	}
}

var maxAge = regexp.MustCompile(`(?i)(?:^|[\s,])max-age\s*=\s*"?(\d{1,9})`)

// ageOf returns how long an answer is kept (RFC 9111 section 5.2.2.1).
func ageOf(cacheControl string) time.Duration {
	found := maxAge.FindStringSubmatch(cacheControl)
	if found == nil {
		return usualAge
	}
	seconds, _ := strconv.Atoi(found[1]) // at most nine digits
	return min(max(time.Duration(seconds)*time.Second, shortestAge), longestAge)
}
