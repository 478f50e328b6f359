package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"

	"fhirgate/internal/freeport"
)

// row is one way from wrk to the hospital.
type row struct {
	name    string
	base    string   // URL that stands for the hospital's base
	key     string   // Authorization of the caller, "" = none
	rewrite bool     // locators come out under base
	gateway *process // nil = none
	redis   *process // nil = none
	missing string   // why the row cannot run, "" = it can
	script  []target // requests in turn, instead of one kind (see many)
}

// baseline is the row that the others are compared with.
const baseline = "keyed Tyk"

// hospitalPath is where Tyk, fhirgate and nginx serve the hospital.
const hospitalPath = "/fhir/harbor"

// compare measures all rows on both kinds of answer.
func (b *bench) compare(ctx context.Context) error {
	var loads []workload
	for _, load := range workloads {
		if b.wants(load.table) {
			loads = append(loads, load)
		}
	}
	if len(loads) == 0 {
		return nil
	}
	rows, err := b.startRows(ctx)
	if err != nil {
		return err
	}
	for _, load := range loads {
		if err := b.verify(ctx, rows, load); err != nil {
			return err
		}
	}
	for _, load := range loads {
		results, err := b.measure(ctx, rows, load)
		if err != nil {
			return err
		}
		b.table(load.name, results)
		b.bars(load, results)
	}
	b.chains()
	return nil
}

// startRows starts every row.
func (b *bench) startRows(ctx context.Context) ([]*row, error) {
	starts := []struct {
		name  string
		start func(context.Context, string) (*row, error)
	}{
		{"direct", b.direct},
		{"httputil.ReverseProxy", b.plainProxy},
		{"keyless Tyk", b.keylessTyk},
		{"keyed Tyk, key only", b.keyOnlyTyk},
		{baseline, b.keyedTyk},
		{"fhirgate", b.fhirgate(b.bin, "post", true)},
		{"fhirgate, pre", b.fhirgate(b.bin, "pre", true)},
		{"fhirgate, auth_check", b.fhirgate(b.bin, "auth_check", true)},
		{"fhirgate, auth_key", b.fhirgate(b.bin, "auth_key", true)},
		{"fhirgate, embedded store", b.fhirgate(b.bin, "post", false)},
		{"fhirgate, audit off", b.unaudited},
		{"fhirgate of -against", b.fhirgate(b.against, "post", true)},
		{"nginx + Lua", b.nginxLua},
	}
	var rows []*row
	for _, s := range starts {
		if s.name == "fhirgate of -against" && b.against == "" {
			continue
		}
		if b.options.rows != "" && !slices.Contains(strings.Split(b.options.rows, ";"), s.name) {
			continue
		}
		r, err := s.start(ctx, s.name)
		if missing := (*missingError)(nil); errors.As(err, &missing) {
			r, err = &row{missing: missing.what}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		r.name = s.name
		rows = append(rows, r)
	}
	return rows, nil
}

// missingError says that a row needs something that this machine lacks.
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what }

func (b *bench) direct(context.Context, string) (*row, error) {
	return &row{base: b.hospitalBase()}, nil
}

func (b *bench) plainProxy(ctx context.Context, name string) (*row, error) {
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := b.start("proxy", gatewayCore, nil, self, "proxy", address+",http://"+b.hospital)
	if err != nil {
		return nil, err
	}
	return &row{base: "http://" + address + basePath, gateway: p}, p.accepts(ctx, address)
}

// startRedis starts a Redis of a gateway's own: what one publishes would wake
// the others up.
func (b *bench) startRedis(ctx context.Context) (*process, string, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, "", &missingError{"redis-server is not installed"}
	}
	address, err := freeport.Address()
	if err != nil {
		return nil, "", err
	}
	p, err := b.start("redis", otherCore, nil, "redis-server", "--port", fmt.Sprint(port(address)), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", b.dir)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.accepts(ctx, address)
}

// verify asks every row for what will be measured, and refuses to measure a
// row that answers anything else.
func (b *bench) verify(ctx context.Context, rows []*row, load workload) error {
	original, err := fetch(ctx, b.hospitalBase()+load.path, "")
	if err != nil {
		return err
	}
	locators := bytes.Count(original.body, []byte(b.hospitalBase()))
	for _, r := range rows {
		if r.missing != "" {
			continue
		}
		got, err := fetch(ctx, r.base+load.path, r.key)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fault := func(what string) error {
			return fmt.Errorf("%s does not do the job: %s (status %d): %.300s", r.name, what, got.status, got.body)
		}
		switch {
		case got.status != http.StatusOK:
			return fault("no 200")
		case got.header.Get("Content-Length") != fmt.Sprint(len(got.body)):
			return fault("wrong Content-Length")
		case !json.Valid(got.body):
			return fault("no JSON")
		case !r.rewrite && !bytes.Equal(got.body, original.body):
			return fault("another body")
		case r.rewrite && (bytes.Contains(got.body, []byte(b.hospital)) || bytes.Count(got.body, []byte(r.base)) != locators):
			return fault("locators are not rewritten")
		}
		if !r.rewrite {
			continue
		}
		seen, err := fetch(ctx, "http://"+b.hospital+seenPath, "")
		if err != nil {
			return err
		}
		if string(seen.body) != "Bearer "+hospitalToken {
			return fault("the hospital saw no bearer token")
		}
		refused, err := fetch(ctx, r.base+load.path, "Bearer fg_"+strings.Repeat("0", 43))
		if err != nil {
			return err
		}
		if refused.status != http.StatusUnauthorized && refused.status != http.StatusForbidden { // Tyk itself says 403
			return fault("an unknown key is not refused")
		}
	}
	return nil
}

// measure goes through the rows in a new order each round.
func (b *bench) measure(ctx context.Context, rows []*row, load workload) ([]*result, error) {
	results := make([]*result, len(rows))
	for i, r := range rows {
		results[i] = &result{row: r}
		if r.missing == "" {
			if _, err := b.sample(ctx, r, load, 1); err != nil { // warm it up
				return nil, err
			}
		}
	}
	for range b.rounds {
		for _, i := range rand.Perm(len(rows)) {
			if rows[i].missing != "" {
				continue
			}
			s, err := b.sample(ctx, rows[i], load, b.seconds)
			if err != nil {
				return nil, err
			}
			results[i].samples = append(results[i].samples, s)
		}
	}
	return results, nil
}
