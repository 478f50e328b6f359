package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fhirgate"
	"fhirgate/gateway/engine"
	"fhirgate/gateway/keys"
	"fhirgate/internal/strict"
	"fhirgate/portal"
	"fhirgate/sandbox/demo"
)

// demoDir is the demo's folder inside the data folder: it never touches the
// keys and files of a real installation.
const demoDir = "demo"

// demoPlan is the plan of the demo's key.
const demoPlan = "trial"

// demoKeyName names the demo's key. Every start gives it a new secret, as the
// old one is kept nowhere.
const demoKeyName = "demo"

func foldersOf(s engine.Settings) Folders {
	return Folders{Routes: s.Routes, Transforms: s.Transforms, Policies: s.Policies}
}

// loadConfig reads the configuration of a gateway, or of a demo that was started
// here. Beside a strict.Problems it returns what could be read.
func loadConfig(file string, demo bool) (*engine.Config, error) {
	if !demo {
		return engine.LoadConfig(file)
	}
	config, err := demoConfig(file)
	if config != nil {
		useDemoFolders(&config.Settings)
	}
	return config, err
}

// demoConfig reads the configuration file, or the one in the binary where there
// is none.
func demoConfig(file string) (*engine.Config, error) {
	if _, err := os.Stat(file); err == nil {
		return engine.LoadConfig(file)
	}
	dir, err := os.MkdirTemp("", "fhirgate-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := unpack(dir, "tyk.conf"); err != nil {
		return nil, err
	}
	return engine.LoadConfig(filepath.Join(dir, "tyk.conf"))
}

// demoHospitals are the simulated hospitals of a demo.
type demoHospitals struct{ *demo.Hospitals }

// startDemo starts the hospitals and points the settings at the demo's own
// folder.
func startDemo(settings *engine.Settings) (*demoHospitals, error) {
	dir := filepath.Join(settings.DataDir, demoDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(unpack(dir, "transforms/*.yaml"), unpack(dir, "policies/*.json")); err != nil {
		return nil, err
	}
	hospitals, err := demo.Start(dir, demo.Addresses{}, nil)
	if err != nil {
		return nil, err
	}
	useDemoFolders(settings)
	return &demoHospitals{hospitals}, nil
}

// useDemoFolders points the settings at the demo's own folder.
func useDemoFolders(settings *engine.Settings) {
	dir := filepath.Join(settings.DataDir, demoDir)
	settings.DataDir = dir
	settings.Routes = filepath.Join(dir, "routes")
	settings.Transforms = filepath.Join(dir, "transforms")
	settings.Policies = filepath.Join(dir, "policies")
	settings.LinkKeysFile = filepath.Join(dir, "link-keys")
	settings.KeyEncryptionKeysFile = filepath.Join(dir, "key-encryption-keys")
	settings.Audit.Folder = filepath.Join(dir, "audit")
	settings.Audit.KeysFile = filepath.Join(dir, "audit-keys")
	if p := settings.Portal; p != nil {
		p.Database, p.DatabaseURL = filepath.Join(dir, "portal.db"), strict.Secret{}
		p.KeysFile, p.ActsKeyFile = filepath.Join(dir, "portal-keys"), filepath.Join(dir, "portal-acts-key")
	}
}

// unpack writes the files of the binary that match pattern below dir.
func unpack(dir, pattern string) error {
	names, err := fs.Glob(fhirgate.Defaults, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := fhirgate.Defaults.ReadFile(name)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// greet prints what to paste.
func (d *demoHospitals) greet(ctx context.Context, s *server) error {
	secret, err := demoKey(ctx, s.keeper)
	if err != nil {
		return fmt.Errorf("the demo's key: %w", err)
	}
	portal, err := greetPortal(ctx, s.portal)
	if err != nil {
		return fmt.Errorf("the demo's portal: %w", err)
	}
	public := strings.TrimSuffix(s.config.Settings.PublicURL, "/") + "/fhir"
	today := time.Now().In(s.facade.Snapshot().Hospitals["harbor"].Route.Location).Format(time.DateOnly)
	fmt.Fprintf(s.options.Out, `
fhirgate %s is ready after %.1f s: one endpoint, three simulated hospitals

  %s/lakeside   like Epic
  %s/st-mary    like Oracle Health
  %s/harbor     like HAPI

Today's appointments at harbor; paste this into another terminal:

  curl -s -H 'Authorization: Bearer %s' '%s/harbor/Appointment?date=%s'

%sThe key is new at every start of the demo and reaches simulated hospitals only.
Their files are in %s. Stop with Ctrl-C.

`, s.options.Version, time.Since(s.began).Seconds(), public, public, public, secret, public, today, portal, s.config.Settings.DataDir)
	return nil
}

// Who is invited to a demo's portal as long as nobody has an account there.
const (
	demoAdministrator = "administrator@demo.example"
	demoDeveloper     = "developer@demo.example"
)

// greetPortal tells where the portal is and how to get in, "" when there is none.
func greetPortal(ctx context.Context, p *portal.Portal) (string, error) {
	if p == nil {
		return "", nil
	}
	text := "The portal for developers and administrators:  " + p.URL() + "\n"
	administrator, developer, err := p.FirstInvitations(ctx, demoAdministrator, demoDeveloper)
	if err != nil || administrator == "" {
		return text + "\n", err
	}
	return text + fmt.Sprintf(`
  %s   become its administrator
  %s   become a developer

`, administrator, developer), nil
}

// demoKey returns a new secret of the demo's key, made at the first start.
func demoKey(ctx context.Context, keeper *keys.Keeper) (string, error) {
	all, err := keeper.List(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	for _, key := range all {
		if key.Name == demoKeyName && key.Status(now) == "active" {
			_, secret, err := keeper.Rotate(ctx, key.ID, 0)
			return secret, err
		}
	}
	_, secret, err := keeper.Create(ctx, keys.New{Name: demoKeyName, Plan: demoPlan, WithSecret: true})
	return secret, err
}
