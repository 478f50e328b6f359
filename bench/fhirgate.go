package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fhirgate"
	"fhirgate/internal/freeport"
)

// fhirgate returns what starts the fhirgate of a folder with a chain of the
// engine.
func (b *bench) fhirgate(bin, chain string, realRedis bool) func(context.Context, string) (*row, error) {
	return func(ctx context.Context, name string) (*row, error) {
		i, err := b.install(ctx, []string{"harbor"}, realRedis)
		if err != nil {
			return nil, err
		}
		if err := i.startBinary(ctx, filepath.Join(bin, "fhirgate"), "serve", "-c", i.dir+"/tyk.conf", "--chain", chain); err != nil {
			return nil, err
		}
		key, err := i.createKey(ctx)
		return &row{base: i.base("harbor"), key: "Bearer " + key, rewrite: true, gateway: i.process, redis: i.redis}, err
	}
}

// unaudited starts fhirgate without an audit trail.
func (b *bench) unaudited(ctx context.Context, name string) (*row, error) {
	b.noAudit = true
	defer func() { b.noAudit = false }()
	return b.fhirgate(b.bin, "post", true)(ctx, name)
}

// installation is a fhirgate with its files.
type installation struct {
	bench   *bench
	dir     string
	address string // public
	admin   string
	redis   *process // nil = embedded store
	process *process
}

// install writes the files of a fhirgate with some hospitals, all of them the
// static one below other base paths.
func (b *bench) install(ctx context.Context, hospitals []string, realRedis bool) (*installation, error) {
	i := &installation{bench: b}
	var redisAddress string
	var errs [4]error
	if realRedis {
		i.redis, redisAddress, errs[0] = b.startRedis(ctx)
	}
	i.address, errs[1] = freeport.Address()
	i.admin, errs[2] = freeport.Address()
	i.dir, errs[3] = os.MkdirTemp(b.dir, "fhirgate-")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	conf, err := tykConf(i.address, redisAddress)
	if err != nil {
		return nil, err
	}
	conf["fhirgate"] = map[string]any{
		"public_url": "http://" + i.address, "data_dir": i.dir + "/data", "link_keys_file": i.dir + "/data/link-keys", "admin_listen": i.admin,
		"routes": i.dir + "/routes", "transforms": i.dir + "/transforms", "policies": i.dir + "/policies",
	}
	if b.noAudit {
		conf["fhirgate"].(map[string]any)["audit"] = map[string]any{"sink": "off"}
	}
	vendor, err := fhirgate.Defaults.ReadFile("transforms/hapi.yaml")
	if err != nil {
		return nil, err
	}
	files := map[string]any{
		"tyk.conf":             conf,
		"hospital-secret":      "hospital-secret",
		"policies/plan.json":   plan,
		"transforms/hapi.yaml": string(vendor),
	}
	for _, id := range hospitals {
		base := b.hospitalBase()
		if id != "harbor" {
			base += "/" + id
		}
		files["routes/"+id+".yaml"] = fmt.Sprintf(route, id, base, "http://"+b.hospital+tokenPath, i.dir+"/hospital-secret")
	}
	return i, writeFiles(i.dir, files)
}

const route = `version: 1
id: %s
name: Static hospital
vendor: hapi
environment: production
upstream:
  base_url: %s
  private_network: true
  auth: {kind: client_secret_post, token_url: %q, client_id: fhirgate, client_secret: {file: %q}}
interactions: {Patient: [read, search-type]}
`

// screeningDay are scopes as those of the shipped plan: narrow enough that types
// have to be looked at.
var screeningDay = []string{"system/Patient.rs", "system/Appointment.rs", "system/Encounter.rs", "system/Observation.rs", "system/Practitioner.rs", "system/DocumentReference.crus", "system/Binary.cr"}

// plan has limits that are never reached.
var plan = map[string]any{
	"id": "plan", "name": "Benchmark", "active": true, "rate": generous, "per": 1, "quota_max": int64(generous) * 1000, "quota_renewal_rate": 86400,
	"access_rights": map[string]any{"fhir": map[string]any{"api_id": "fhir", "api_name": "fhir", "versions": []string{"Default"}}},
	"meta_data":     map[string]any{"fhirgate": map[string]any{"hospitals": []string{"*"}, "environments": []string{"production"}, "scopes": screeningDay, "burst": generous}},
}

func (i *installation) base(hospital string) string {
	return "http://" + i.address + "/fhir/" + hospital
}

// start starts the installation's fhirgate and waits until it is ready.
func (i *installation) start(ctx context.Context) error {
	return i.startBinary(ctx, filepath.Join(i.bench.bin, "fhirgate"), "serve", "-c", i.dir+"/tyk.conf")
}

func (i *installation) startBinary(ctx context.Context, args ...string) error {
	var err error
	if i.process, err = i.bench.start("fhirgate", gatewayCore, nil, args...); err != nil {
		return err
	}
	return i.process.answers(ctx, "http://"+i.address+"/readyz", "", http.StatusOK)
}

// createKey makes an API key of the plan.
func (i *installation) createKey(ctx context.Context) (string, error) {
	_, secret, err := i.create(ctx, map[string]any{"name": "bench", "plan": "plan"})
	return secret, err
}

// create makes a consumer through the admin API.
func (i *installation) create(ctx context.Context, consumer map[string]any) (id, secret string, err error) {
	adminSecret, err := os.ReadFile(i.dir + "/data/admin-secret")
	if err != nil {
		return "", "", err
	}
	body, err := json.Marshal(consumer)
	if err != nil {
		return "", "", err
	}
	answer, err := call(ctx, http.MethodPost, "http://"+i.admin+"/admin/keys", map[string]string{"Authorization": "Bearer " + strings.TrimSpace(string(adminSecret))}, body)
	if err != nil {
		return "", "", err
	}
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(answer.body, &made); err != nil || made.Secret == "" {
		return "", "", fmt.Errorf("creating a key: %d %s", answer.status, answer.body)
	}
	return made.ID, made.Secret, nil
}

// timeStart starts fhirgate, and returns how long it took from exec to the
// first 200 of a FHIR call.
func (i *installation) timeStart(ctx context.Context, hospital, key string) (time.Duration, error) {
	began := time.Now()
	var err error
	if i.process, err = i.bench.start("fhirgate", gatewayCore, nil, filepath.Join(i.bench.bin, "fhirgate"), "serve", "-c", i.dir+"/tyk.conf"); err != nil {
		return 0, err
	}
	err = i.process.answers(ctx, i.base(hospital)+readPath, "Bearer "+key, http.StatusOK)
	return time.Since(began), err
}

// timeReload sends SIGHUP, and returns how long it took until the log says that
// the files are in force.
func (i *installation) timeReload(ctx context.Context) (time.Duration, error) {
	const line = `"msg":"the configuration was reloaded"`
	count := func() int {
		data, _ := os.ReadFile(i.process.log)
		return strings.Count(string(data), line)
	}
	before, began := count(), time.Now()
	if err := i.process.cmd.Process.Signal(hangup); err != nil {
		return 0, err
	}
	err := i.process.until(ctx, "reloaded", 2*time.Millisecond, func() bool { return count() > before })
	return time.Since(began), err
}
