package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/user"
)

// Chain says which of Tyk's middlewares a FHIR request passes. Every one costs
// time; see docs/decisions for the measurements.
type Chain string

// The chains, by the hook that they add.
const (
	// ChainPre is a keyless definition with a pre hook: version check and hook.
	ChainPre Chain = "pre"
	// ChainPost is a keyless definition with a post hook: version check, rate
	// counter and hook. It is the default.
	ChainPost Chain = "post"
	// ChainAuthCheck is a keyed definition whose auth_check hook accepts every
	// request. For measurements only.
	ChainAuthCheck Chain = "auth_check"
	// ChainAuthKey is a keyed definition with Tyk's own check of the
	// Authorization header. For measurements only.
	ChainAuthKey Chain = "auth_key"
	// ChainAuthKeyLimits is ChainAuthKey with Tyk's own rate limit and quota. For
	// measurements only.
	ChainAuthKeyLimits Chain = "auth_key_limits"
)

// orgID is the one organisation of all definitions, policies and keys.
const orgID = "fhirgate"

// FHIRPath is the path below which Handlers.FHIR answers.
const FHIRPath = "/fhir/"

func fhirDefinition(id string, chain Chain, plugin string) (*apidef.APIDefinition, error) {
	d := definition("fhir", id, FHIRPath)
	hook := []apidef.MiddlewareDefinition{{Name: "FHIR", Path: plugin}}
	switch chain {
	case ChainPre:
		d.CustomMiddleware.Pre = hook
		return d, nil
	case ChainPost, "":
		d.CustomMiddleware.Post = hook
		return d, nil
	case ChainAuthCheck:
		d.UseGoPluginAuth = true
		d.CustomMiddleware.AuthCheck = apidef.MiddlewareDefinition{Name: "Auth", Path: plugin}
	case ChainAuthKey, ChainAuthKeyLimits:
		d.UseStandardAuth = true
		d.DisableRateLimit, d.DisableQuota = chain == ChainAuthKey, chain == ChainAuthKey
		d.AuthConfigs = map[string]apidef.AuthConfig{"authToken": {AuthHeaderName: "Authorization"}}
		d.Auth = apidef.AuthConfig{AuthHeaderName: "Authorization"}
	default:
		return nil, fmt.Errorf("engine: unknown chain %q", chain)
	}
	d.UseKeylessAccess = false
	d.CustomMiddleware.Post = hook
	return d, nil
}

func rootDefinition(id, plugin string) *apidef.APIDefinition {
	d := definition("root", id, "/")
	d.CustomMiddleware.Pre = []apidef.MiddlewareDefinition{{Name: "Root", Path: plugin}}
	return d
}

// definition is a keyless definition with everything off that a hook doesn't
// need. Its target is never called: the hooks answer every request.
func definition(name, id, listenPath string) *apidef.APIDefinition {
	d := &apidef.APIDefinition{
		Name: name, APIID: id, OrgID: orgID, Active: true,
		UseKeylessAccess: true,
		DoNotTrack:       true,
		DisableRateLimit: true,
		DisableQuota:     true,
	}
	d.VersionData.NotVersioned = true
	d.VersionData.Versions = map[string]apidef.VersionInfo{"Default": {Name: "Default", UseExtendedPaths: true}}
	d.Proxy.ListenPath = listenPath
	d.Proxy.TargetURL = "http://127.0.0.1:1/"
	d.CustomMiddleware.Driver = apidef.GoPluginDriver
	return d
}

// writeDefinitions writes what Tyk loads at each reload.
func (w *workspace) writeDefinitions(in install, chain Chain, plugin string) error {
	fhir, err := fhirDefinition(in.FHIR, chain, plugin)
	if err != nil {
		return err
	}
	if err := w.writeJSON("apis/fhir.json", fhir); err != nil {
		return err
	}
	if err := w.writeJSON("apis/root.json", rootDefinition(in.Root, plugin)); err != nil {
		return err
	}
	// Tyk panics or complains without these templates. What it makes of them
	// never reaches a client: the front writes all refusals.
	for _, name := range []string{"templates/error.json", "templates/playground/index.html"} {
		if err := os.WriteFile(w.path(name), nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writePolicies replaces the policies that Tyk loads. Each is a native Tyk
// policy whose access right is called "fhir"; its id and organisation are set,
// and the access right gets the api_id of this installation.
func (w *workspace) writePolicies(policies map[string]json.RawMessage, apiID string) error {
	files := make(map[string]*user.Policy, len(policies))
	for id, raw := range policies {
		if id == "" || strings.ContainsAny(id, `/\`) {
			return fmt.Errorf("engine: policy id %q is no file name", id)
		}
		policy := &user.Policy{}
		if err := json.Unmarshal(raw, policy); err != nil {
			return fmt.Errorf("engine: policy %q: %w", id, err)
		}
		right, ok := policy.AccessRights["fhir"]
		if !ok || len(policy.AccessRights) != 1 {
			return fmt.Errorf(`engine: policy %q: access_rights must hold "fhir" and nothing else`, id)
		}
		right.APIID, right.APIName, right.Versions = apiID, "fhir", []string{"Default"}
		policy.AccessRights = map[string]user.AccessDefinition{apiID: right}
		policy.ID, policy.OrgID, policy.Active = id, orgID, true
		files[id+".json"] = policy
	}
	for name, policy := range files {
		if err := w.writeJSON(filepath.Join("policies", name), policy); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	present, err := os.ReadDir(w.path("policies"))
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	for _, entry := range present {
		if files[entry.Name()] == nil {
			if err := os.Remove(w.path(filepath.Join("policies", entry.Name()))); err != nil {
				return fmt.Errorf("engine: %w", err)
			}
		}
	}
	return nil
}
