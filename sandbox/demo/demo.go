// Package demo starts three simulated hospitals together with the route files
// that reach them: for the demo, the command "fhirgate sandbox" and the tests.
package demo

import (
	"crypto/rand"
	"crypto/rsa"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/sandbox"
)

//go:embed routes/*.yaml
var routeFiles embed.FS

// Hospitals are three running hospitals of different vendors.
type Hospitals struct {
	Lakeside *sandbox.Hospital // like Epic
	StMary   *sandbox.Hospital // like Oracle Health
	Harbor   *sandbox.Hospital // like HAPI
	Routes   string            // folder of their route files
}

// Addresses are the listen addresses of the hospitals; "" means a free port of
// the loopback interface.
type Addresses struct{ Lakeside, StMary, Harbor string }

// Start starts the hospitals and writes their route files, and the credentials
// that these name, below dir. change, when not nil, may alter the options of a
// hospital before it starts.
func Start(dir string, at Addresses, change func(*sandbox.Options)) (*Hospitals, error) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		return nil, err
	}
	credentials, err := makeCredentials(dir)
	if err != nil {
		return nil, err
	}
	options := func(id string, seed int64) sandbox.Options {
		o := sandbox.Options{
			ID: id, Seed: seed, TimeZone: zone, ClientSecret: credentials.secret,
			Keys: credentials.public, AcceptPDF: true,
		}
		if change != nil {
			change(&o)
		}
		return o
	}
	h := &Hospitals{
		Lakeside: sandbox.NewEpic(options("lakeside", 1)),
		StMary:   sandbox.NewOracle(options("st-mary", 2)),
		Harbor:   sandbox.NewHAPI(options("harbor", 3)),
		Routes:   filepath.Join(dir, "routes"),
	}
	for hospital, addr := range map[*sandbox.Hospital]string{h.Lakeside: at.Lakeside, h.StMary: at.StMary, h.Harbor: at.Harbor} {
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		if err := hospital.Start(addr); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, h.writeRoutes(credentials)
}

// Close stops the hospitals.
func (h *Hospitals) Close() error {
	return errors.Join(h.Lakeside.Close(), h.StMary.Close(), h.Harbor.Close())
}

func (h *Hospitals) writeRoutes(c *credentials) error {
	fill := strings.NewReplacer(
		"${LAKESIDE_BASE}", h.Lakeside.BaseURL(),
		"${ST_MARY_BASE}", h.StMary.BaseURL(),
		"${ST_MARY_TOKEN}", h.StMary.TokenURL(),
		"${HARBOR_BASE}", h.Harbor.BaseURL(),
		"${HARBOR_TOKEN}", h.Harbor.TokenURL(),
		"${KEY_FILE}", c.keyFile,
		"${SECRET_FILE}", c.secretFile,
	)
	if err := os.MkdirAll(h.Routes, 0o700); err != nil {
		return err
	}
	for _, id := range []string{"lakeside", "st-mary", "harbor"} {
		text, err := routeFiles.ReadFile("routes/" + id + ".yaml")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(h.Routes, id+".yaml"), []byte(fill.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// credentials are what the gateway logs in to the hospitals with.
type credentials struct {
	public              jose.JSONWebKeySet
	secret              string
	keyFile, secretFile string
}

func makeCredentials(dir string) (*credentials, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: "demo", Algorithm: string(jose.RS384), Use: "sig"}
	text, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	c := &credentials{
		public:     jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}},
		secret:     rand.Text(),
		keyFile:    filepath.Join(dir, "hospital-key.jwk"),
		secretFile: filepath.Join(dir, "hospital-secret"),
	}
	for file, content := range map[string][]byte{c.keyFile: text, c.secretFile: []byte(c.secret)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, fmt.Errorf("the demo's credentials: %w", err)
		}
	}
	return c, nil
}
