package gateway

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/observe"
	"fhirgate/policies"
)

const planFile = `{"id": "day", "active": true, "rate": 10,
  "access_rights": {"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}},
  "meta_data": {"fhirgate": {"hospitals": ["*"], "environments": ["sandbox"], "scopes": ["system/*.cruds"]}}}`

const routeFile = `version: 1
id: bay
environment: sandbox
upstream: {base_url: "https://bay.example/fhir"}
interactions: {Patient: [read]}
`

const vendorFile = `version: 1
vendor: unused
request: [{name: pages, when: {interaction: search-type}, do: [{param.cap: {name: _count, max: 9}}]}]
`

// newReloader returns a reloader of a folder with a hospital and a plan, and
// counts how often it tells Tyk of the plans.
func newReloader(t *testing.T) (r *reloader, files fstest.MapFS, told *int) {
	t.Helper()
	files = fstest.MapFS{
		"routes/bay.yaml":        {Data: []byte(routeFile)},
		"policies/day.json":      {Data: []byte(planFile)},
		"transforms/unused.yaml": {Data: []byte(vendorFile)},
	}
	told = new(int)
	r = &reloader{
		fsys: files, folders: Folders{Routes: "routes", Transforms: "transforms", Policies: "policies"},
		publicURL: "https://fhir.example", linkKeys: filepath.Join(t.TempDir(), "link-keys"), metrics: observe.NewMetrics("test"), log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		portal:   noPortal,
		policies: func(ctx context.Context, _ *Files) error { *told++; return ctx.Err() },
	}
	read, err := readFiles(files, r.folders)
	require.NoError(t, err)
	snapshot, err := read.Snapshot(r.publicURL, nil, nil)
	require.NoError(t, err)
	r.facade = facade.New(snapshot, facade.Options{})
	return r, files, told
}

// noPortal misses no plan.
func noPortal(strict.Folder[*policies.Plan]) strict.Problems { return nil }

// TestAReloadKeepsThePlansThatThePortalNeeds: else the next start refuses what the
// reload took.
func TestAReloadKeepsThePlansThatThePortalNeeds(t *testing.T) {
	conf, err := os.ReadFile("../tyk.conf")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "tyk.conf")
	require.NoError(t, os.WriteFile(file, []byte(replaceOnce(t, string(conf), `"auto_approve": ["trial"]`, `"auto_approve": ["day"]`)), 0o600))
	config, err := engine.LoadConfig(file)
	require.NoError(t, err)
	r, files, _ := newReloader(t)
	r.portal = func(plans strict.Folder[*policies.Plan]) strict.Problems { return checkPortalPlans(config, plans) }
	require.NoError(t, r.reload(t.Context()))
	const mended = " (tyk.conf is read at the start: restart after changing it, or put the plan back)"

	files["policies/day.json"] = &fstest.MapFile{Data: []byte(replaceOnce(t, planFile, `"sandbox"`, `"production"`))}
	require.EqualError(t, r.reload(t.Context()), file+":45:24: fhirgate.portal.auto_approve.0: the plan reaches real hospitals: an administrator must decide about it"+mended)

	files["policies/night.json"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(planFile, "day", "night"))}
	delete(files, "policies/day.json")
	require.EqualError(t, r.reload(t.Context()), file+":45:24: fhirgate.portal.auto_approve.0: unknown plan \"day\"; allowed are night"+mended)
	require.Contains(t, r.facade.Snapshot().Plans, "day", "the old configuration stays")
}

func TestReloadTellsTykOfChangedPlansOnly(t *testing.T) {
	r, files, told := newReloader(t)
	require.NoError(t, r.reload(t.Context()))
	require.Zero(t, *told, "nothing has changed")

	files["routes/cove.yaml"] = &fstest.MapFile{Data: []byte("id: cove" + routeFile[len("version: 1\nid: bay"):] + "version: 1\n")}
	require.NoError(t, r.reload(t.Context()))
	require.Zero(t, *told, "a new hospital is no matter of Tyk's")
	require.Contains(t, r.facade.Snapshot().Hospitals, "cove")

	files["policies/day.json"] = &fstest.MapFile{Data: append([]byte(planFile), '\n')}
	require.NoError(t, r.reload(t.Context()))
	require.Equal(t, 1, *told, "a plan has changed")

	delete(files, "routes/bay.yaml")
	files["policies/bad.json"] = &fstest.MapFile{Data: []byte("{")}
	var problems strict.Problems
	require.ErrorAs(t, r.reload(t.Context()), &problems)
	require.Contains(t, r.facade.Snapshot().Hospitals, "bay", "the old configuration stays as a whole")
	require.Equal(t, 1, *told)
}

// TestAReloadTellsAllMistakesAndChangesNothing has mistakes of files, between
// them and of what they name side by side.
func TestAReloadTellsAllMistakesAndChangesNothing(t *testing.T) {
	r, files, told := newReloader(t)
	before := r.facade.Snapshot()
	files["policies/bad.json"] = &fstest.MapFile{Data: []byte("{")}
	files["routes/cove.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(routeFile, "bay", "cove") + "vendor: unusde\ncolour: red\n")}
	files["routes/dale.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(routeFile, "bay", "dale") + "vendor: unusde\n")}
	files["routes/east.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(strings.Replace(routeFile, `fhir"}`, `fhir", ca_file: none.pem}`, 1), "bay", "east"))}
	var problems strict.Problems
	require.ErrorAs(t, r.reload(t.Context()), &problems)
	require.EqualError(t, problems, `policies/bad.json:1:1: the file ends before a bracket is closed
routes/cove.yaml:6:9: vendor: unknown vendor "unusde"; did you mean "unused"?
routes/cove.yaml:7:1: unknown key "colour"; allowed are accept, deny, environment, id, interactions, name, operations, rules, time_zone, upstream, vars, vendor, version
routes/dale.yaml:6:9: vendor: unknown vendor "unusde"; did you mean "unused"?
routes/east.yaml:4:60: upstream.ca_file: cannot be read`, "all at once, and in the order of the files")
	require.Len(t, r.lastReload().Problems, 5)
	require.Same(t, before, r.facade.Snapshot())
	require.Zero(t, *told)
}
