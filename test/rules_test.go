package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// strictRoute is a hospital whose file has a rule of its own, beside Epic's.
const strictRoute = `version: 1
id: strict
name: Strict
vendor: epic
environment: sandbox
upstream: {base_url: "%s/fhir", private_network: true}
interactions: {Patient: [read, search-type]}
rules:
  response:
    - name: known sexes only
      effect: reversible
      when: {type: Patient}
      do: [{code.map: {path: gender, map: {F: female, M: male}, unmapped: fail}}]
`

// strictGateway is a gateway in front of a hospital that answers by handler.
func strictGateway(t *testing.T, handler http.HandlerFunc) *client {
	hospital := httptest.NewServer(handler)
	t.Cleanup(hospital.Close)
	g := startGateway(t, options{prepared: func(g *gateway) {
		g.write("routes/strict.yaml", fmt.Sprintf(strictRoute, hospital.URL))
	}})
	return g.newClient(t, "e2e")
}

// TestARuleThatFailsLateIsNoticed has a rule fail behind what was sent already:
// Go, curl and fetch must each see an error, and none a whole answer.
func TestARuleThatFailsLateIsNoticed(t *testing.T) {
	installClients(t)
	const good = `{"resource":{"resourceType":"Patient","id":"1","gender":"F"}},`
	c := strictGateway(t, func(w http.ResponseWriter, r *http.Request) {
		n := 100_000 // 6 MB
		if r.URL.Query().Get("name") == "few" {
			n = 10
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"searchset","entry":[`)
		for range n {
			_, _ = io.WriteString(w, good)
		}
		_, _ = io.WriteString(w, `{"resource":{"resourceType":"Patient","id":"2","gender":"unheard-of"}}]}`)
	})
	early := c.get("/fhir/strict/Patient?name=few")
	early.refused(http.StatusBadGateway, "value")
	require.Contains(t, string(early.body), `rule \"known sexes only\" of hospital strict`)
	require.Contains(t, string(early.body), "Bundle.entry[10].resource.gender\"")
	require.NotContains(t, string(early.body), "unheard-of")

	late := c.url + "/fhir/strict/Patient?name=many"
	answer := c.transfer(t, http.MethodGet, late, nil, 0)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	read, err := io.Copy(io.Discard, answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Greater(t, read, int64(1<<20))

	out, err := exec.Command("curl", "-sS", "-o", t.TempDir()+"/answer.json", "-H", "Authorization: Bearer "+c.key, late).CombinedOutput()
	var failed *exec.ExitError
	require.True(t, errors.As(err, &failed), "curl took it for whole: %s", out)

	told := node(t, "fetch.mjs", late, c.key)
	require.NotEmpty(t, gjson.Get(told, "error").Str, "fetch took it for whole: %s", told)
	whole := node(t, "fetch.mjs", c.url+"/fhir/harbor/Patient/100000", c.key)
	require.False(t, gjson.Get(whole, "error").Exists(), "%s", whole)

	require.NotContains(t, c.output(), "unheard-of")
}

// TestAGigabyteOfLines takes NDJSON through Epic's whole pack and a rule of the
// hospital's own: memory must not follow its size.
func TestAGigabyteOfLines(t *testing.T) {
	line := `{"resourceType":"Patient","id":"e1","identifier":[{"type":{"text":"INTERNAL"},"system":"urn:oid:1.2","value":"     Z6130"}],"gender":"F",` +
		`"managingOrganization":{"reference":"%s/Organization/1"},"text":{"status":"generated","div":"<div>` + strings.Repeat("a line of text ", 60) + `</div>"}}` + "\n"
	var base string
	c := strictGateway(t, func(w http.ResponseWriter, r *http.Request) {
		base = "http://" + r.Host + "/fhir"
		w.Header().Set("Content-Type", "application/fhir+ndjson")
		text := strings.Repeat(fmt.Sprintf(line, base), 100)
		size := int64(1000 * megabyte)
		if strings.HasSuffix(r.URL.Path, "/some") {
			size = megabyte / 10
		}
		for sent := int64(0); sent < size; sent += int64(len(text)) {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
	})
	_, err := io.Copy(io.Discard, c.transfer(t, http.MethodGet, c.url+"/fhir/strict/Patient/some", nil, 0).Body)
	require.NoError(t, err)

	grown := watchMemory(t, c.process)
	began := time.Now()
	answer := c.transfer(t, http.MethodGet, c.url+"/fhir/strict/Patient/all", nil, 0)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "application/fhir+ndjson", answer.Header.Get("Content-Type"))
	lines := bufio.NewReaderSize(answer.Body, 1<<20)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, strings.NewReplacer(`"F"`, `"female"`, "     Z6130", "Z6130", base, c.url+"/fhir/strict").Replace(fmt.Sprintf(line, base)), first)
	read := int64(len(first))
	for err == nil {
		var piece []byte
		piece, err = lines.ReadSlice('\n')
		read += int64(len(piece))
		require.Len(t, piece, len(first)*min(len(piece), 1))
	}
	require.ErrorIs(t, err, io.EOF)
	growth := grown()
	t.Logf("%d MB in %s, the gateway's resident memory grew by %.1f MB", read/megabyte, time.Since(began).Round(time.Millisecond), float64(growth)/megabyte)
	require.Greater(t, read, int64(990*megabyte))
	require.Less(t, growth, int64(32*megabyte))
}
