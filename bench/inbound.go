package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
)

// inboundRow is a row of the table of the inbound check. All answer an empty 204
// from the same hook of the same engine: what differs is who checks the caller.
type inboundRow struct {
	name   string
	chain  string
	answer string
	token  bool // the caller shows a token instead of a key
}

const (
	tykAlone   = "keyed Tyk alone (key, rate, quota)"
	tykKeyOnly = "keyed Tyk alone (key only)"
	ourCheck   = "the whole inbound check, API key"
	ourToken   = "the whole inbound check, token"
)

var inboundRows = []inboundRow{
	{tykAlone, "auth_key_limits", "at-once", false},
	{tykKeyOnly, "auth_key", "at-once", false},
	{"no check", "post", "at-once", false},
	{ourCheck, "post", "when-admitted", false},
	{ourToken, "post", "when-admitted", true},
}

// inbound measures what the check of a caller costs beside Tyk's own.
func (b *bench) inbound(ctx context.Context) error {
	rows := make([]*row, len(inboundRows))
	for i, of := range inboundRows {
		r, err := b.startInbound(ctx, of)
		if err != nil {
			return fmt.Errorf("%s: %w", of.name, err)
		}
		rows[i] = r
	}
	load := workload{name: "inbound check", path: readPath}
	results, err := b.measure(ctx, rows, load)
	if err != nil {
		return err
	}
	b.inboundTable(results)
	return nil
}

func (b *bench) startInbound(ctx context.Context, of inboundRow) (*row, error) {
	i, err := b.install(ctx, []string{"harbor"}, true)
	if err != nil {
		return nil, err
	}
	if err := i.startBinary(ctx, filepath.Join(b.bin, "fhirgate"), "serve", "-c", i.dir+"/tyk.conf", "--chain", of.chain, "--answer", of.answer); err != nil {
		return nil, err
	}
	r := &row{name: of.name, base: i.base("harbor"), gateway: i.process, redis: i.redis}
	if of.token {
		r.key, err = i.createToken(ctx)
	} else {
		r.key, err = i.createKey(ctx)
	}
	r.key = "Bearer " + r.key
	if err != nil {
		return nil, err
	}
	for key, want := range map[string]int{r.key: http.StatusNoContent, "Bearer fg_0000000000000000000000000000000000000000000": 0} {
		answer, err := fetch(ctx, r.base+readPath, key)
		if err != nil {
			return nil, err
		}
		if want == 0 && of.answer == "at-once" && of.chain == "post" {
			want = http.StatusNoContent // nobody checks
		}
		if want != 0 && answer.status != want || want == 0 && answer.status != http.StatusUnauthorized && answer.status != http.StatusForbidden {
			return nil, fmt.Errorf("status %d: %.200s", answer.status, answer.body)
		}
	}
	return r, nil
}

// createToken makes an OAuth client and gets a token for it.
func (i *installation) createToken(ctx context.Context) (string, error) {
	id, secret, err := i.create(ctx, map[string]any{"name": "bench", "plan": "plan", "kind": "client"})
	if err != nil {
		return "", err
	}
	form := "grant_type=client_credentials&client_id=" + id + "&client_secret=" + secret
	answer, err := call(ctx, http.MethodPost, "http://"+i.address+"/oauth/token", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form))
	if err != nil {
		return "", err
	}
	var issued struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(answer.body, &issued); err != nil || issued.Token == "" {
		return "", fmt.Errorf("asking for a token: %d %s", answer.status, answer.body)
	}
	return issued.Token, nil
}

// inboundTable prints the table and says whether the bar is met.
func (b *bench) inboundTable(results []*result) {
	fmt.Fprint(b.out, "\n## What the inbound check adds\n\nEvery row answers an empty 204 from the same hook; only the check of the caller differs. The gateway's own check is path, credential, plan, scopes, price, rate and quota, and whether the audit trail can be written.\n\n")
	fmt.Fprintln(b.out, "| row | requests/s (min–max) | gateway CPU µs/request | Redis CPU µs/request | CPU × keyed Tyk alone (min–max) |")
	fmt.Fprintln(b.out, "|---|--:|--:|--:|--:|")
	cpu := func(s sample) float64 { return microseconds(s.cpu) }
	base := find(results, tykAlone)
	for _, r := range results {
		rates, ratio := r.of(rate), make([]float64, len(r.samples))
		for i := range ratio {
			ratio[i] = cpu(r.samples[i]) / cpu(base.samples[i])
		}
		fmt.Fprintf(b.out, "| %s | %.0f (%.0f–%.0f) | %.1f | %.1f | %.2f (%.2f–%.2f) |\n", r.row.name, r.rate(), slices.Min(rates), slices.Max(rates), r.cpu(),
			median(r.of(func(s sample) float64 { return microseconds(s.store) })), median(ratio), slices.Min(ratio), slices.Max(ratio))
	}
	fmt.Fprintln(b.out)
	for _, peer := range []string{tykAlone, tykKeyOnly} {
		for _, own := range []string{ourCheck, ourToken} {
			a, of := find(results, own), find(results, peer)
			got := a.cpu() / of.cpu()
			fmt.Fprintf(b.out, "- %s costs %.2f of %s in CPU a request; the bar is 1.05: %s.\n", own, got, peer, met(got <= 1.05))
		}
	}
}
