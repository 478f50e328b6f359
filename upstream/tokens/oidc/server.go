// Package oidc runs a real, certified OAuth 2.0 server for the tests of the
// hospital logins: oidc-provider from npm, with the client credentials grant and
// the rules of SMART Backend Services. It needs node 20 and npm.
package oidc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is a client's registration (RFC 7591).
type Client map[string]any

// SecretClient returns a client of method client_secret_basic or
// client_secret_post.
func SecretClient(id, method, secret string) Client {
	return Client{"client_id": id, "token_endpoint_auth_method": method, "client_secret": secret}
}

// KeyClient returns a client of method private_key_jwt whose public keys are given.
func KeyClient(id, alg string, keys ...jose.JSONWebKey) Client {
	return Client{ //nolint:gosec // names, no credentials
		"client_id": id, "token_endpoint_auth_method": "private_key_jwt",
		"token_endpoint_auth_signing_alg": alg, "jwks": jose.JSONWebKeySet{Keys: keys},
	}
}

// KeyURLClient returns a client of method private_key_jwt whose public keys are
// fetched from a URL.
func KeyURLClient(id, alg, keysURL string) Client {
	return Client{ //nolint:gosec // names, no credentials
		"client_id": id, "token_endpoint_auth_method": "private_key_jwt",
		"token_endpoint_auth_signing_alg": alg, "jwks_uri": keysURL,
	}
}

// Server is a running server.
type Server struct {
	Issuer           string `json:"issuer"`
	ConfigurationURL string `json:"configuration"`
	TokenURL         string `json:"token_endpoint"`
	IntrospectionURL string `json:"introspection_endpoint"`
	RevocationURL    string `json:"revocation_endpoint"`

	process *exec.Cmd
	mu      sync.Mutex // for a line in and the line out that answers it
	in      io.WriteCloser
	out     *bufio.Reader
}

// resourceServer is the client that Introspect and Revoke use.
var resourceServer = SecretClient("resource-server", "client_secret_basic", "resource-server-secret")

// Scopes are those that clients may ask for.
func Scopes() []string {
	return []string{"system/Patient.rs", "system/Encounter.rs", "system/DocumentReference.cru"}
}

// Start runs a server that knows clients until the test ends. Its tokens live
// for life, in whole seconds.
func Start(t testing.TB, life time.Duration, clients ...Client) *Server {
	t.Helper()
	dir, err := folder()
	if err == nil {
		err = install(dir)
	}
	if err != nil {
		t.Fatalf("the OAuth server cannot be installed: %v", err)
	}
	s := &Server{process: exec.Command("node", "server.mjs")}
	s.process.Dir = dir
	var complaints bytes.Buffer
	s.process.Stderr = &complaints
	if err := s.start(); err != nil {
		t.Fatalf("the OAuth server cannot be started: %v", err)
	}
	t.Cleanup(s.stop)
	config := map[string]any{"token_ttl": int(life.Seconds()), "scopes": Scopes(), "clients": complete(clients)}
	if err := s.tell(config, s); err != nil {
		s.stop()
		t.Fatalf("the OAuth server does not start: %v: %s", err, complaints.String())
	}
	return s
}

// Advance puts the server's clock forward, by whole seconds. It keeps keys that
// it fetched from a URL for a minute, and fetches them again when it then meets
// one that it does not know.
func (s *Server) Advance(t testing.TB, by time.Duration) {
	t.Helper()
	if err := s.tell(map[string]any{"advance": int(by.Seconds())}, &struct{}{}); err != nil {
		t.Fatalf("the OAuth server: %v", err)
	}
}

func (s *Server) start() error {
	var err error
	if s.in, err = s.process.StdinPipe(); err != nil {
		return err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	s.out = bufio.NewReader(out)
	return s.process.Start()
}

// stop ends the server, and does nothing when it has ended.
func (s *Server) stop() {
	_ = s.in.Close()     // it ends by that
	_ = s.process.Wait() // whatever its status
}

// tell writes a line and reads the one that answers it.
func (s *Server) tell(message, answer any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.NewEncoder(s.in).Encode(message); err != nil {
		return err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

// complete gives clients what all of them have, and adds the resource server.
func complete(clients []Client) []Client {
	all := make([]Client, 0, len(clients)+1)
	for _, client := range append([]Client{resourceServer}, clients...) {
		whole := Client{"grant_types": []string{"client_credentials"}, "response_types": []string{}, "redirect_uris": []string{}}
		for name, value := range client {
			whole[name] = value
		}
		all = append(all, whole)
	}
	return all
}

// folder returns this package's folder, from that of any package of the module.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "upstream", "tokens", "oidc"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not in the module")
		}
		dir = parent
	}
}

// install runs npm ci unless that has been done. Tests of several packages may
// come at once.
func install(dir string) error {
	lock, err := os.Open(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil {
		return nil
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
}

// Introspection is what the server says of a token (RFC 7662).
type Introspection struct {
	Active   bool   `json:"active"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Expires  int64  `json:"exp"` // Unix seconds
}

// Introspect asks the server about a token, as a resource server does.
func (s *Server) Introspect(ctx context.Context, token string) (Introspection, error) {
	var answer Introspection
	resp, err := s.ask(ctx, s.IntrospectionURL, token)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	return answer, json.NewDecoder(resp.Body).Decode(&answer)
}

// Revoke ends a token (RFC 7009).
func (s *Server) Revoke(ctx context.Context, token string) error {
	resp, err := s.ask(ctx, s.RevocationURL, token)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (s *Server) ask(ctx context.Context, place, token string) (*http.Response, error) {
	form := url.Values{"token": {token}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(resourceServer["client_id"].(string), resourceServer["client_secret"].(string))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the OAuth server answered %d", resp.StatusCode)
	}
	return resp, nil
}
