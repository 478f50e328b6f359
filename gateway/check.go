package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/policies"
)

// Checked is a configuration without a mistake.
type Checked struct {
	Config   *engine.Config
	Files    *Files
	snapshot *facade.Snapshot
}

// Check reads tyk.conf and every hospital, vendor and plan file as serve would.
// Its error is a strict.Problems with every mistake of every file, unless
// tyk.conf, which names the folders of the others, could not be read. demo means
// the files of a demo that was started here.
func Check(configFile string, demo bool) (*Checked, error) {
	config, err := loadConfig(configFile, demo)
	if config == nil {
		return nil, err
	}
	var problems strict.Problems
	errors.As(err, &problems)
	read := readFolders(strict.Disk{}, foldersOf(config.Settings))
	files, err := read.files(append(problems, checkSettings(config, read.plans)...))
	if err != nil {
		return nil, err
	}
	snapshot, err := files.Snapshot(config.Settings.PublicURL, nil, nil)
	if err != nil {
		return nil, err
	}
	return &Checked{Config: config, Files: files, snapshot: snapshot}, nil
}

// checkSettings returns what is wrong with the settings beside one another, the files
// that they name, and the plans.
func checkSettings(config *engine.Config, plans strict.Folder[*policies.Plan]) strict.Problems {
	return slices.Concat(config.CheckListener(), checkAddresses(config), checkPortal(config), checkPortalPlans(config, plans))
}

// LiveResult is what a hospital said when it was asked.
type LiveResult struct {
	Hospital    string
	Login       string // "ok" or what went wrong
	Metadata    string // "ok" or what went wrong
	FHIRVersion string
	Took        time.Duration
}

// OK reports whether the hospital can be used.
func (r LiveResult) OK() bool { return r.Login == "ok" && r.Metadata == "ok" }

// Live logs in to every hospital and reads its CapabilityStatement.
func (c *Checked) Live(ctx context.Context) []LiveResult {
	results := make([]LiveResult, 0, len(c.Files.Routes))
	for _, route := range c.Files.Routes {
		began := time.Now()
		hospital := c.snapshot.Hospitals[route.ID]
		result := LiveResult{Hospital: route.ID, Login: said(hospital.Client.CheckLogin(ctx)), Metadata: "not asked"}
		if result.Login == "ok" {
			var err error
			result.FHIRVersion, err = metadata(ctx, hospital)
			result.Metadata = said(err)
		}
		result.Took = time.Since(began)
		results = append(results, result)
	}
	return results
}

// said returns an error's text with its cause, for the operator at the terminal.
func said(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

// metadata reads a hospital's CapabilityStatement and returns its FHIR version.
func metadata(ctx context.Context, h *facade.Hospital) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Route.Upstream.BaseURL+"/metadata", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "application/fhir+json")
	answer, err := h.Client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %d", answer.StatusCode)
	}
	var statement struct {
		ResourceType string `json:"resourceType"`
		FHIRVersion  string `json:"fhirVersion"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 32<<20)).Decode(&statement); err != nil || statement.ResourceType != "CapabilityStatement" {
		return "", errors.New("is not a CapabilityStatement in JSON")
	}
	if len(statement.FHIRVersion) < 2 || statement.FHIRVersion[:2] != "4." {
		return statement.FHIRVersion, errors.New("is not FHIR R4")
	}
	return statement.FHIRVersion, nil
}

// Explain tells where a call would go and why, and whether it would get there;
// see facade.Explain.
func (c *Checked) Explain(method, target, plan string) (text string, passes bool, err error) {
	if plan != "" && c.snapshot.Plans[plan] == nil {
		return "", false, errors.New(strict.Unknown("plan", plan, sortedKeys(c.snapshot.Plans)))
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		return "", false, fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "METHOD or URL is not one of HTTP")
	}
	text, passes = facade.Explain(c.snapshot, r, plan)
	return text, passes, nil
}
