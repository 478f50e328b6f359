package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"fhirgate"
	"fhirgate/internal/freeport"
)

const tykSecret = "benchmark-secret"

func (b *bench) keylessTyk(ctx context.Context, name string) (*row, error) {
	return b.tyk(ctx, map[string]any{"use_keyless": true})
}

// keyOnlyTyk checks the key and counts nothing.
func (b *bench) keyOnlyTyk(ctx context.Context, name string) (*row, error) {
	r, err := b.tyk(ctx, map[string]any{"use_standard_auth": true, "disable_rate_limit": true, "disable_quota": true})
	if err != nil {
		return nil, err
	}
	return r, b.tykKey(ctx, r)
}

// keyedTyk checks the key, its rate limit and its quota.
func (b *bench) keyedTyk(ctx context.Context, name string) (*row, error) {
	r, err := b.tyk(ctx, map[string]any{"use_standard_auth": true})
	if err != nil {
		return nil, err
	}
	return r, b.tykKey(ctx, r)
}

// tyk starts Tyk without a plugin and with our tyk.conf. Its one definition
// proxies to the hospital; extra is added to it.
func (b *bench) tyk(ctx context.Context, extra map[string]any) (*row, error) {
	redis, redisAddress, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "tyk-")
	if err != nil {
		return nil, err
	}
	definition := map[string]any{
		"name": "harbor", "api_id": "harbor", "org_id": "bench", "active": true, "do_not_track": true,
		"auth":         map[string]any{"auth_header_name": "Authorization"},
		"version_data": map[string]any{"not_versioned": true, "versions": map[string]any{"Default": map[string]any{"name": "Default", "use_extended_paths": true}}},
		"proxy":        map[string]any{"listen_path": hospitalPath + "/", "target_url": b.hospitalBase() + "/", "strip_listen_path": true},
	}
	for name, value := range extra {
		definition[name] = value
	}
	conf, err := tykConf(address, redisAddress)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{"app_path": "apis", "template_path": "templates"} {
		conf[name] = filepath.Join(dir, value.(string))
	}
	conf["secret"], conf["node_secret"] = tykSecret, tykSecret
	conf["policies"] = map[string]any{"policy_source": "file", "policy_path": filepath.Join(dir, "policies")}
	err = writeFiles(dir, map[string]any{
		"tyk.conf": conf, "apis/harbor.json": definition, "templates/error.json": "", "templates/playground/index.html": "", "policies/none.json": map[string]any{},
	})
	if err != nil {
		return nil, err
	}
	p, err := b.start("tyk", gatewayCore, nil, filepath.Join(b.bin, "bench-tyk"), "--conf="+filepath.Join(dir, "tyk.conf"))
	if err != nil {
		return nil, err
	}
	r := &row{base: "http://" + address + hospitalPath, gateway: p, redis: redis}
	status := http.StatusOK
	if extra["use_keyless"] == nil {
		status = http.StatusUnauthorized
	}
	return r, p.answers(ctx, r.base+readPath, "", status)
}

// tykConf returns the project's tyk.conf without our own section, for another
// address and a real Redis.
func tykConf(address, redisAddress string) (map[string]any, error) {
	data, err := fhirgate.Defaults.ReadFile("tyk.conf")
	if err != nil {
		return nil, err
	}
	conf := make(map[string]any)
	if err := json.Unmarshal(data, &conf); err != nil {
		return nil, err
	}
	delete(conf, "fhirgate")
	conf["listen_address"], conf["listen_port"] = "127.0.0.1", port(address)
	if redisAddress != "" {
		conf["storage"] = map[string]any{"type": "redis", "host": "127.0.0.1", "port": port(redisAddress)}
	}
	return conf, nil
}

// tykKey makes a key with a limit and a quota that are never reached.
func (b *bench) tykKey(ctx context.Context, r *row) error {
	body, err := json.Marshal(map[string]any{
		"org_id": "bench", "rate": generous, "per": 1, "quota_max": int64(generous) * 1000, "quota_renewal_rate": 86400, "expires": 0,
		"access_rights": map[string]any{"harbor": map[string]any{"api_id": "harbor", "api_name": "harbor", "versions": []string{"Default"}}},
	})
	if err != nil {
		return err
	}
	host := r.base[:len(r.base)-len(hospitalPath)]
	answer, err := call(ctx, http.MethodPost, host+"/tyk/keys/create", map[string]string{"X-Tyk-Authorization": tykSecret}, body)
	if err != nil {
		return err
	}
	var made struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(answer.body, &made); err != nil || made.Key == "" {
		return fmt.Errorf("creating a key: %d %s", answer.status, answer.body)
	}
	r.key = made.Key
	return nil
}

// generous is a rate that no row reaches.
const generous = 1_000_000

// writeFiles writes files below dir: text as it is, anything else as JSON.
func writeFiles(dir string, files map[string]any) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		text, isText := content.(string)
		data := []byte(text)
		if !isText {
			var err error
			if data, err = json.MarshalIndent(content, "", "  "); err != nil {
				return err
			}
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
