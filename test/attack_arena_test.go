package test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
	"fhirgate/upstream/jwks"
)

// arena is what the attacks are made on: two nodes with one Redis and one
// configuration, and a third gateway that does TLS. Nobody changes it while the
// attacks run.
type arena struct {
	a, b   *gateway // b trusts the proxy at proxyAddress
	tls    *tlsGateway
	redis  *redisServer
	keys   map[string]*client // by plan
	client oauthClient        // of the plan e2e, with a secret
	signer oauthClient        // likewise, with keys of its own and no secret
	idp    *provider
	own    jose.SigningKey   // of real tokens
	hidden map[string]string // what no answer may show, by what it is
	secret *loot
}

// proxyAddress is the address of the proxy that node b trusts.
const proxyAddress = "127.0.0.9"

// attackPlans are the scopes of the plans that attackers have.
var attackPlans = map[string][]string{
	"patients": {"system/Patient.rs"},
	"reader":   {"system/Patient.r"},
	"creator":  {"system/Patient.c"},
	"lab":      {"system/Observation.cruds?category=laboratory", "system/Patient.rs"},
	"people":   {"user/Patient.rs", "patient/*.rs"},
	"live":     {"system/*.cruds"},
	"gone":     {"system/*.cruds"},
	"asleep":   {"system/*.cruds"},
	"second":   {"system/*.cruds"},
}

// annexDeny are the deny rules of annex, a second route to the server of harbor.
const annexDeny = "deny: [{type: Patient, where: \"_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|V\"}]\n"

func openArena(t *testing.T) *arena {
	t.Helper()
	x := &arena{redis: startRedis(t), keys: make(map[string]*client), idp: startProvider(t)}
	settings := map[string]any{"identity_providers": x.idp.settings()}
	x.a = startGateway(t, options{redis: x.redis, settings: settings, grumbles: true, prepared: x.prepare})
	shared := map[string]any{
		"identity_providers": x.idp.settings(), "trusted_proxies": []string{proxyAddress}, "public_url": x.a.url,
		"key_encryption_keys_file": x.a.file("data/key-encryption-keys"), "link_keys_file": x.a.file("data/link-keys"),
	}
	x.b = startGateway(t, options{redis: x.redis, hospitals: x.a.Hospitals, settings: shared, grumbles: true, prepared: x.prepare})
	x.tls = startTLSGateway(t, x.a.Hospitals)

	x.keys["e2e"] = x.a.newClient(t, "e2e")
	for plan := range attackPlans {
		x.keys[plan] = x.a.newClient(t, plan)
	}
	for _, node := range []*gateway{x.a, x.b} {
		require.NoError(t, os.Remove(node.file("policies/gone.json")))
		node.writeAttackPlan(t, "asleep", false)
		node.mustReload(t)
	}
	x.client = newOAuthClient(t, x.a, "e2e", nil)
	x.signer = newOAuthClient(t, x.a, "e2e", clientKeys)
	x.idp.register(t, x.a)
	x.own = ownKey(t, x)
	x.secret = plantLoot(t, x)
	x.hidden = x.unspeakable(t)
	return x
}

// prepare writes the plans and further hospitals of a node.
func (x *arena) prepare(g *gateway) {
	for plan := range attackPlans {
		g.writeAttackPlan(g.t, plan, true)
	}
	if g.Hospitals.Routes != g.file("routes") {
		return // it has those of the first node
	}
	harbor := strings.NewReplacer(
		"  Observation: [", "  Observation: [patch, delete, history-type, conditional-create, conditional-update, conditional-delete, ",
		`"$validate"]`, `"$validate", "$export"]`+"\n"+`  system: ["$export"]`,
	).Replace(g.read("routes/harbor.yaml"))
	g.write("routes/harbor.yaml", harbor)
	g.write("routes/annex.yaml", strings.Replace(harbor, "id: harbor\n", "id: annex\n", 1)+annexDeny)
	g.write("routes/quay.yaml", strings.NewReplacer("id: harbor\n", "id: quay\n", "environment: sandbox", "environment: production").Replace(harbor))
}

func (g *gateway) writeAttackPlan(t *testing.T, id string, active bool) {
	environment := "sandbox"
	if id == "live" {
		environment = "production"
	}
	g.write("policies/"+id+".json", encode(t, map[string]any{
		"id": id, "name": id, "active": active, "rate": 100_000, "per": 1, "quota_max": -1,
		"access_rights": map[string]any{"fhir": map[string]any{"api_id": "fhir", "api_name": "fhir", "versions": []string{"Default"}}},
		"meta_data":     map[string]any{"fhirgate": map[string]any{"hospitals": []string{"*"}, "environments": []string{environment}, "scopes": attackPlans[id], "burst": 100_000}},
	}))
}

func (x *arena) hospitals() []*sandbox.Hospital {
	return []*sandbox.Hospital{x.a.Lakeside, x.a.StMary, x.a.Harbor}
}

// unspeakable returns what no answer may show.
func (x *arena) unspeakable(t *testing.T) map[string]string {
	found := map[string]string{
		"the store's address": x.redis.addr, "the admin API's address": strings.TrimPrefix(x.a.admin, "http://"),
		"the admin API's secret": strings.TrimSpace(x.a.read("data/admin-secret")),
		"the hospital's secret":  x.a.read("hospital-secret"),
		"a client's secret":      x.client.secret,
	}
	for _, line := range x.a.logged("INFO") {
		if version := gjson.Get(line, "version").Str; version != "" && version != "dev" { // a build without git
			found["the version"] = version
		}
	}
	for _, hospital := range x.hospitals() {
		base, err := url.Parse(hospital.BaseURL())
		require.NoError(t, err)
		found["the address of "+hospital.ID()] = base.Host
	}
	for plan, key := range x.keys {
		found["the key of the plan "+plan] = key.key
	}
	return found
}

// ownKey takes the gateway's own signing key out of the store.
func ownKey(t *testing.T, x *arena) jose.SigningKey {
	var seal jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal([]byte(x.a.read("data/key-encryption-keys")), &seal))
	rings, err := jwks.Open(jwks.Options{Redis: x.redis.client, SealKeys: seal, Hash: "fhirgate:token-rings"})
	require.NoError(t, err)
	askToken(t, x.a, x.client, "") // makes the ring
	key, err := rings.Signer("tokens").SigningKey(t.Context())
	require.NoError(t, err)
	return key
}

// caller makes calls with one credential, to one node, from one address.
type caller struct {
	f      *fight
	node   *gateway
	secret string // API key or token; "" = the caller shows none
	from   string
	http   *http.Client // nil = one from that address
}

// as returns a caller with an API key or a token.
func (f *fight) as(secret string) caller {
	return caller{f: f, node: f.a, secret: secret, from: f.from}
}

// plan returns a caller with the key of a plan.
func (f *fight) plan(id string) caller { return f.as(f.keys[id].key) }

// anyone returns a caller that shows no credential.
func (f *fight) anyone() caller { return f.as("") }

func (c caller) at(node *gateway) caller { c.node = node; return c }

func (c caller) callingFrom(address string) caller { c.from = address; return c }

// call is client.try from the caller's own address. header are name, value
// pairs; an empty name repeats the one before.
func (c caller) call(method, target, body string, header ...string) answer {
	c.f.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = c.node.url + target
	}
	r, err := http.NewRequestWithContext(c.f.t.Context(), method, target, strings.NewReader(body))
	require.NoError(c.f.t, err)
	if c.secret != "" {
		r.Header.Set("Authorization", "Bearer "+c.secret)
	}
	if body != "" {
		r.Header.Set("Content-Type", fhirJSON)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Content-Type" || header[i] == "If-None-Exist" {
			r.Header.Set(header[i], header[i+1])
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	if c.http == nil {
		c.http = clientFrom(c.from)
	}
	response, err := c.http.Do(r)
	require.NoError(c.f.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(c.f.t, err)
	return answer{response, c.f.t, data}
}

func (c caller) get(target string, header ...string) answer {
	c.f.t.Helper()
	return c.call(http.MethodGet, target, "", header...)
}

func (c caller) post(target, body string, header ...string) answer {
	c.f.t.Helper()
	return c.call(http.MethodPost, target, body, header...)
}

// form posts parameters.
func (c caller) form(target string, form url.Values, header ...string) answer {
	c.f.t.Helper()
	return c.post(target, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// clientFrom returns a client whose connections come from an address of the
// loopback network, and are not kept.
func clientFrom(address string) *http.Client {
	return &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: plainHTTP.CheckRedirect,
		Transport:     &http.Transport{DialContext: dialerFrom(address).DialContext, DisableKeepAlives: true, DisableCompression: true},
	}
}

func dialerFrom(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
}

// loot are resources that the attacks of some rows are after.
type loot struct {
	lab       string // Observation/{id}, a laboratory result
	vital     string // Observation/{id}, none
	contained string // Observation/{id} that contains a Patient whom annex denies
	denied    string // Patient/{id} whom annex denies
	about     string // Observation/{id} whose subject is that Patient
}

const (
	patientV       = `{"resourceType":"Patient","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]},"name":[{"family":"Verborgen"}]}`
	labResult      = `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"text":"attacked"}}`
	vitalSign      = `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"text":"attacked"},"valueString":"Geheimwert"}`
	containsDenied = `{"resourceType":"Observation","status":"final","contained":[` + patientV + `],"subject":{"reference":"#p"},"code":{"text":"attacked"}}`
)

func plantLoot(t *testing.T, x *arena) *loot {
	t.Helper()
	c := x.keys["e2e"]
	create := func(typ, body string) string {
		a := c.call(http.MethodPost, "/fhir/harbor/"+typ, body)
		a.ok(http.StatusCreated)
		return createdAs(t, a)
	}
	denied := create("Patient", patientV)
	return &loot{
		denied: denied, about: create("Observation", strings.Replace(labResult, `"code":{`, `"subject":{"reference":"`+denied+`"},"code":{`, 1)),
		lab: create("Observation", labResult), vital: create("Observation", vitalSign),
		contained: create("Observation", containsDenied),
	}
}

// createdAs returns Type/id of what a create has made.
func createdAs(t *testing.T, a answer) string {
	t.Helper()
	path, _, _ := strings.Cut(a.Header.Get("Location"), "/_history")
	segments := strings.Split(path, "/")
	require.Greater(t, len(segments), 2, a.Header)
	return strings.Join(segments[len(segments)-2:], "/")
}

// writeFile writes a private file into a folder of the test.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}
