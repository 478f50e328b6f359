package sandbox

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const recordings = `
{"method":"GET","url":"https://ehr.example/a/FHIR/R4/Patient/p1","status":200,"headers":{"Content-Type":"application/fhir+json","Etag":"W/\"1\""},"body":"{ \"resourceType\":\"Patient\",\"id\":\"p1\" , \"x\": 1.0,\"url\":\"https://ehr.example/a/FHIR/R4/Patient/p1\"}\n"}
{"method":"GET","url":"https://ehr.example/a/FHIR/R4/Observation?patient=p1&code=b&code=a","status":200,"headers":{"Content-Type":"application/json+fhir"},"body":"{\"first\":true}"}
{"method":"GET","url":"https://ehr.example/a/FHIR/R4/Observation?code=a&code=b&patient=p1","status":200,"headers":{},"body":"{\"second\":true}"}
{"method":"GET","url":"https://ehr.example/a/FHIR/R4/Coverage?patient=p1","status":403,"headers":{"Www-Authenticate":"Bearer error=\"insufficient_scope\""},"body":""}
{"method":"GET","url":"https://ehr.example/a/FHIR/R4/metadata","status":200,"headers":{},"body":"{}"}
`

func TestReplay(t *testing.T) {
	replay, err := NewReplay(strings.NewReader(recordings))
	require.NoError(t, err)
	require.NoError(t, replay.Start("127.0.0.1:0"))
	defer replay.Close()
	require.Equal(t, "https://ehr.example/a/FHIR/R4", replay.RecordedBase())
	require.True(t, strings.HasSuffix(replay.BaseURL(), "/a/FHIR/R4"))
	require.Len(t, replay.Entries(), 5)

	patient := call(t, http.MethodGet, replay.BaseURL()+"/Patient/p1", "")
	require.Equal(t, replay.Entries()[0].Body, string(patient.body), "bytes as recorded")
	require.Equal(t, `W/"1"`, patient.header.Get("ETag"))
	require.Equal(t, "application/fhir+json", patient.header.Get("Content-Type"))
	for _, query := range []string{"patient=p1&code=a&code=b", "code=b&patient=p1&code=a"} {
		require.Equal(t, `{"first":true}`, string(call(t, http.MethodGet, replay.BaseURL()+"/Observation?"+query, "").body))
	}
	refused := call(t, http.MethodGet, replay.BaseURL()+"/Coverage?patient=p1", "")
	require.Equal(t, 403, refused.status)
	require.Contains(t, refused.header.Get("WWW-Authenticate"), "insufficient_scope")
	require.NotContains(t, refused.header, "Content-Type")
	require.Equal(t, 200, call(t, http.MethodGet, replay.BaseURL()+"/metadata", "").status)
	for _, missing := range []string{"/Patient/p2", "/Observation?patient=p1&code=a", "/Observation?patient=p1&code=a&code=b&code=b", "/../x"} {
		got := call(t, http.MethodGet, replay.BaseURL()+missing, "")
		require.Equal(t, 404, got.status, missing)
		require.Contains(t, got.header.Get("Content-Type"), "text/html")
	}
	require.Equal(t, 404, call(t, http.MethodPost, replay.BaseURL()+"/Patient/p1", "{}").status)
	require.NotEmpty(t, replay.Calls())
	replay.Fail(func(*http.Request) http.Handler { return HTMLError(500) })
	require.Equal(t, 500, call(t, http.MethodGet, replay.BaseURL()+"/Patient/p1", "").status)
}

func TestReplayRefuses(t *testing.T) {
	good := strings.Split(strings.TrimSpace(recordings), "\n")[0]
	for name, text := range map[string]string{
		"nothing":         "",
		"no JSON":         good + "\nx",
		"no method":       `{"url":"https://ehr.example/Patient/1","status":200}`,
		"no status":       `{"method":"GET","url":"https://ehr.example/Patient/1"}`,
		"a relative URL":  `{"method":"GET","url":"/Patient/1","status":200}`,
		"a broken URL":    `{"method":"GET","url":"https://ehr.example/%zz/Patient/1","status":200}`,
		"another base":    good + "\n" + strings.ReplaceAll(good, "/a/", "/b/"),
		"outside of base": good + "\n" + `{"method":"GET","url":"https://ehr.example/metadata","status":200}`,
		"no type at all":  `{"method":"GET","url":"https://ehr.example/metadata","status":200}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewReplay(strings.NewReader(text))
			require.Error(t, err)
			require.NotContains(t, err.Error(), "ehr.example", "errors name lines, not URLs")
		})
	}
	_, err := OpenReplay(filepath.Join(t.TempDir(), "missing.jsonl"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReplayOfRealRecordings(t *testing.T) {
	files, err := filepath.Glob("../../shared/recordings/*.jsonl")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Log("no recordings beside the project")
		return
	}
	compared := 0
	for _, file := range files {
		replay, err := OpenReplay(file)
		require.NoError(t, err, file)
		require.NoError(t, replay.Start("127.0.0.1:0"))
		defer replay.Close()
		for _, entry := range replay.Entries() {
			target := replay.BaseURL() + strings.TrimPrefix(entry.URL, replay.RecordedBase())
			got := call(t, entry.Method, target, "")
			require.Equal(t, entry.Status, got.status)
			require.Equal(t, entry.Body, string(got.body))
			for name, value := range entry.Headers {
				require.Equal(t, value, got.header.Get(name))
			}
			compared++
		}
	}
	t.Logf("%d recorded answers compared", compared)
}
