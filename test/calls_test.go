package test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// fhirJSON is the media type of resources.
const fhirJSON = "application/fhir+json"

// client calls a gateway with one key.
type client struct {
	*gateway
	t     *testing.T
	key   string
	keyID string
}

// cli runs a command of fhirgate for this gateway and returns what it printed.
func (g *gateway) cli(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.Command(binary, append(args, "-c", g.conf)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if err != nil {
		return out.String() + errs.String(), err
	}
	require.Empty(t, errs.String(), "a command that succeeds says nothing on standard error")
	return out.String(), nil
}

// mustCLI is cli for a command that must succeed.
func (g *gateway) mustCLI(t *testing.T, args ...string) string {
	t.Helper()
	out, err := g.cli(t, args...)
	require.NoError(t, err, out)
	return out
}

// newClient makes a key of a plan by the command line and returns a client
// with it.
func (g *gateway) newClient(t *testing.T, plan string, args ...string) *client {
	t.Helper()
	out := g.mustCLI(t, append([]string{"keys", "create", "--json", "--name", "tests", "--plan", plan}, args...)...)
	c := &client{gateway: g, t: t, key: gjson.Get(out, "secret").Str, keyID: gjson.Get(out, "id").Str}
	require.NotEmpty(t, c.key)
	require.NotEmpty(t, c.keyID)
	return c
}

// with returns a client of the same gateway with another key.
func (c *client) with(key string) *client {
	other := *c
	other.key = key
	return &other
}

// answer is what came back, read to its end.
type answer struct {
	*http.Response
	t    *testing.T
	body []byte
}

var plainHTTP = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
}

// try calls the gateway. target is a path, or a whole URL that an answer gave;
// header are name, value pairs, and an empty value takes a header away.
func (c *client) try(method, target, body string, header ...string) (answer, error) {
	if strings.HasPrefix(target, "/") {
		target = c.url + target
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if body != "" {
		r.Header.Set("Content-Type", fhirJSON)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := plainHTTP.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answer{response, c.t, data}, err
}

// call is try for a call that must get an answer.
func (c *client) call(method, target, body string, header ...string) answer {
	c.t.Helper()
	a, err := c.try(method, target, body, header...)
	require.NoError(c.t, err)
	return a
}

func (c *client) get(target string, header ...string) answer {
	c.t.Helper()
	return c.call(http.MethodGet, target, "", header...)
}

// ok requires a status and returns the body.
func (a answer) ok(status int) gjson.Result {
	a.t.Helper()
	require.Equal(a.t, status, a.StatusCode, "%s %s: %.2000s", a.Request.Method, a.Request.URL, a.body)
	return gjson.ParseBytes(a.body)
}

// refused requires an OperationOutcome of the gateway's or the hospital's own
// with this status and issue code, and the headers that go with the status.
func (a answer) refused(status int, code string) {
	a.t.Helper()
	outcome := a.ok(status)
	require.Equal(a.t, "OperationOutcome", outcome.Get("resourceType").Str, "%s", a.body)
	require.Equal(a.t, code, outcome.Get("issue.0.code").Str, "%s", a.body)
	require.NotEmpty(a.t, outcome.Get("issue.0.severity").Str)
	require.Contains(a.t, a.Header.Get("Content-Type"), fhirJSON)
	require.NotEmpty(a.t, a.Header.Get("X-Request-Id"), "every refusal has a request id")
	if status == http.StatusUnauthorized {
		require.Contains(a.t, a.Header.Get("WWW-Authenticate"), "Bearer")
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		require.NotEmpty(a.t, a.Header.Get("Retry-After"))
	}
}

// next returns the link to the page after this Bundle, "" at the end.
func next(bundle gjson.Result) string {
	return bundle.Get(`link.#(relation=="next").url`).Str
}

// pages calls visit with every page of a search.
func (c *client) pages(target string, visit func(page answer)) {
	c.t.Helper()
	for n := 0; target != ""; n++ {
		require.Less(c.t, n, 1000, "the pages have no end")
		page := c.get(target)
		target = next(page.ok(http.StatusOK))
		visit(page)
	}
}

// entries returns the resources of all pages of a search.
func (c *client) entries(target string) []gjson.Result {
	c.t.Helper()
	var found []gjson.Result
	c.pages(target, func(page answer) {
		found = append(found, gjson.GetBytes(page.body, `entry.#(search.mode=="match")#.resource`).Array()...)
	})
	return found
}

// encode returns value as JSON.
func encode(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}
