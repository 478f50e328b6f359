package test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// canaries are values that must never leave a message's body, by the place that
// they were put into.
type canaries map[string]string

// at returns a new value for a place.
func (c canaries) at(place string) string {
	value := "canary" + rand.Text()[:20]
	c[value] = place
	return value
}

// forms are the spellings in which a value would give itself away: as it is, in
// another letter case, and inside base64 at each of its three alignments.
func forms(value string) []string {
	found := []string{value, strings.ToLower(value), strings.ToUpper(value)}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + value))
		found = append(found, encoded[4:len(encoded)-4])
	}
	return found
}

// sings reports every value that text gives away.
func (c canaries) sings(t *testing.T, where, text string) {
	t.Helper()
	for value, place := range c {
		for _, form := range forms(value) {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s shows what was put into %s: …%.300s", where, place, text[max(0, at-200):])
				break
			}
		}
	}
}

// TestNoPHIOutsideBodies puts marked values into every part of requests and
// answers, and looks for them in everything that the process wrote.
func TestNoPHIOutsideBodies(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis, settings: map[string]any{"log_level": "debug"}, grumbles: true})
		c := g.newClient(t, "e2e")
		for _, id := range []string{"harbor", "st-mary"} { // so that the gateway hears everything that they say
			route := g.read("routes/" + id + ".yaml")
			g.write("routes/"+id+".yaml", strings.Replace(route, "  private_network: true\n",
				"  private_network: true\n  resilience: {retries: 0, breaker: {off: true}}\n", 1))
		}
		g.mustReload(t)
		marks := canaries{}
		marks[strings.TrimPrefix(c.key, "fg_")] = "the key"
		marks[g.read("hospital-secret")] = "the hospitals' client secret"
		inPaths(t, c, marks)
		inQueries(t, c, marks)
		inHeaders(t, c, marks)
		inBodies(t, c, marks)
		inAnswers(t, c, marks)
		inTokens(t, c, marks)
		onTheWire(t, g, marks)
		c.get(somewhere).ok(http.StatusOK)
		require.Greater(t, len(marks), 60)

		metrics := g.askAdmin(t, http.MethodGet, "/metrics")
		marks.sings(t, "/metrics", string(metrics.body))
		g.stopCleanly()
		marks.sings(t, "standard output", g.out.String())
		marks.sings(t, "the log", g.err.String())
		require.NoError(t, filepath.WalkDir(g.file("data"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			marks.sings(t, path, string(text))
			return err
		}))
		if redis != nil {
			marks.sings(t, "Redis", redis.dump(t))
		}
		t.Logf("%d values looked for in %d bytes of log", len(marks), len(g.err.String()))
	})
}

func inPaths(t *testing.T, c *client, marks canaries) {
	for _, path := range []string{
		"/fhir/harbor/Patient/%s", "/fhir/st-mary/Patient/%s", "/fhir/lakeside/Patient/%s", "/fhir/harbor/Patient/%s/_history/1",
		"/fhir/harbor/Patient/100000/_history/%s", "/fhir/harbor/Patient/%s/$everything", "/fhir/harbor/Patient/%s/Observation",
		"/fhir/%s/Patient/1", "/fhir/harbor/%s/1", "/%s", "/fhir/harbor/_sealed/%s", "/fhir/harbor/Patient/$%s",
		"/fhir/harbor/Patient/a;%s", "/fhir/harbor//%s",
	} {
		c.get(fmt.Sprintf(path, marks.at("the path "+path)))
	}
	c.call(http.MethodDelete, "/fhir/harbor/Patient/"+marks.at("the id of a delete"), "")
}

func inQueries(t *testing.T, c *client, marks canaries) {
	for _, query := range []string{
		"/fhir/harbor/Patient?name=%s", "/fhir/harbor/Patient?identifier=urn:x|%s", "/fhir/harbor/Patient?%s=1", "/fhir/harbor/Patient?birthdate=%s",
		"/fhir/harbor/Patient?_count=%s", "/fhir/harbor/Patient?_format=%s", "/fhir/harbor/Patient?name=%%zz%s", "/fhir/harbor/Patient?name=a;%s",
		"/fhir/st-mary/Appointment?date=%s&location=1", "/fhir/st-mary/Appointment?location=%s", "/fhir/st-mary/Encounter?status=%s",
		"/fhir/lakeside/Appointment?date=%s", "/fhir/lakeside/Patient?family=%s&birthdate=1970-01-01", "/fhir/harbor/Account?subject=%s",
		"/readyz?%s", "/nowhere?%s",
	} {
		c.get(fmt.Sprintf(query, marks.at("the query "+query)))
	}
	link := c.url + "/fhir/st-mary/Patient/" + marks.at("a reference to another hospital in a query")
	c.get("/fhir/harbor/Observation?subject="+url.QueryEscape(link)).refused(http.StatusUnprocessableEntity, "value")
	c.call(http.MethodPost, "/fhir/harbor/Patient/_search", "name="+marks.at("a form"), "Content-Type", "application/x-www-form-urlencoded").ok(http.StatusOK)
	c.call(http.MethodPost, "/fhir/lakeside/Patient/_search", "family="+marks.at("a form that the hospital refuses"), "Content-Type", "application/x-www-form-urlencoded")
}

func inHeaders(t *testing.T, c *client, marks canaries) {
	for _, name := range []string{
		"Accept", "Accept-Language", "Prefer", "If-Match", "If-None-Match", "If-Modified-Since", "User-Agent", "Referer", "Cookie", "X-Forwarded-For",
		"X-Real-Ip", "Traceparent", "X-Api-Key", "X-Tyk-Authorization", "X-Anything", "Content-Type", "X-Security-Context", "Expect",
	} {
		c.get(somewhere, name, marks.at("the header "+name))
		c.call(http.MethodPut, somewhere, `{"resourceType":"Patient","id":"100000"}`, name, marks.at("the header "+name+" of an update"))
	}
	c.get(somewhere, "X-Request-Id", "not a token: "+marks.at("an unusable X-Request-Id"))
	c.get(somewhere, "Authorization", "Bearer "+marks.at("a token of another form"))
	unknown := (marks.at("an unknown key") + strings.Repeat("0", 43))[:43]
	c.get(somewhere, "Authorization", "Bearer fg_"+unknown).refused(http.StatusUnauthorized, "login")
	password := base64.StdEncoding.EncodeToString([]byte("user:" + marks.at("a password")))
	c.get(somewhere, "Authorization", "Basic "+password).refused(http.StatusUnauthorized, "login")
	for _, condition := range []string{"identifier=urn:x|%s", "%s=1", "?birthdate=%s"} {
		c.call(http.MethodPost, "/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", fmt.Sprintf(condition, marks.at("If-None-Exist "+condition)))
	}
}

func inBodies(t *testing.T, c *client, marks canaries) {
	family, text := marks.at("a name"), marks.at("a narrative")
	pdf := base64.StdEncoding.EncodeToString([]byte("%PDF- " + marks.at("a PDF")))
	patient := fmt.Sprintf(`{"resourceType":"Patient","text":{"status":"generated","div":"<div>%s</div>"},"name":[{"family":%q}]}`, text, family)
	c.call(http.MethodPost, "/fhir/harbor/Patient", patient).ok(http.StatusCreated)
	c.call(http.MethodPost, "/fhir/harbor/Patient/$validate", patient).ok(http.StatusOK)
	c.call(http.MethodPut, somewhere, patient)
	c.call(http.MethodPost, "/fhir/lakeside/DocumentReference", fmt.Sprintf(`{"resourceType":"DocumentReference","description":%q,"content":[{"attachment":{"data":%q}}]}`, marks.at("a refused note"), pdf))
	c.call(http.MethodPost, "/fhir/st-mary/DocumentReference", fmt.Sprintf(`{"resourceType":"DocumentReference","status":%q}`, marks.at("a wrong status")))
	for _, broken := range []string{`{"resourceType":"Patient","name":"%s`, `{"%s":1,}`, `%s`, `{"resourceType":"%s"}`, `{"resourceType":"Patient","a":tru%s}`, `{"resourceType":"Patient","%s":"\x"}`} {
		c.call(http.MethodPost, "/fhir/harbor/Patient", fmt.Sprintf(broken, marks.at("the broken body "+broken)))
	}
	foreign := c.url + "/fhir/st-mary/Patient/" + marks.at("a reference to another hospital")
	c.call(http.MethodPost, "/fhir/harbor/Observation", fmt.Sprintf(`{"resourceType":"Observation","subject":{"reference":%q}}`, foreign)).refused(http.StatusUnprocessableEntity, "value")
	patch := fmt.Sprintf(`[{"op":"add","path":"/%s","value":%q},{"op":"test","path":"/a","value":1}]`, marks.at("a patch's path"), marks.at("a patch's value"))
	c.call(http.MethodPatch, somewhere, patch, "Content-Type", "application/json-patch+json")
	for _, kind := range []string{"batch", "transaction", marks.at("a Bundle's type")} {
		c.call(http.MethodPost, "/fhir/harbor", fmt.Sprintf(`{"resourceType":"Bundle","type":%q,"entry":[
			{"request":{"method":"GET","url":"Patient/%s"}},{"request":{"method":%q,"url":"Patient"}},{"request":{"method":"GET","url":"%s"}},
			{"request":{"method":"GET","url":"Account?name=%s"}}, {"fullUrl":%q,"resource":%s,"request":{"method":"POST","url":"Patient","ifNoneExist":"name=%s"}}]}`,
			kind, marks.at(kind+": an id"), marks.at(kind+": a method"), marks.at(kind+": a url"), marks.at(kind+": a query"), marks.at(kind+": a fullUrl"), patient, marks.at(kind+": ifNoneExist")))
	}
}
