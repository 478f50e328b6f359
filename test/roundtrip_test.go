package test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// TestReadThenUpdate sends what was read back unchanged: the hospital's resource
// stays as it was, whatever it holds and however the client had it written.
func TestReadThenUpdate(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		c := g.newClient(t, "e2e")
		plant(t, c)
		for _, typ := range []string{"Patient", "Appointment", "Encounter", "Observation", "DocumentReference"} {
			t.Run(typ, func(t *testing.T) {
				for _, id := range g.Harbor.IDs(typ) {
					target := "/fhir/harbor/" + typ + "/" + id
					before, _ := g.Harbor.Resource(typ, id)
					read := c.get(target)
					read.ok(http.StatusOK)
					c.call(http.MethodPut, target, string(read.body), "If-Match", read.Header.Get("ETag")).ok(http.StatusOK)
					after, _ := g.Harbor.Resource(typ, id)
					if strings.Contains(string(before), `:\/\/`) { // a base URL written so comes back written plainly
						require.JSONEq(t, unversioned(t, before), unversioned(t, after))
						continue
					}
					require.Equal(t, string(before), string(after), "%s byte for byte", target)
				}
			})
		}
		t.Run("a client that writes its JSON anew", func(t *testing.T) {
			for _, id := range g.Harbor.IDs("DocumentReference") {
				target := "/fhir/harbor/DocumentReference/" + id
				before, _ := g.Harbor.Resource("DocumentReference", id)
				var resource map[string]any
				require.NoError(t, json.Unmarshal(c.get(target).body, &resource))
				c.call(http.MethodPut, target, encode(t, resource)).ok(http.StatusOK)
				after, _ := g.Harbor.Resource("DocumentReference", id)
				require.JSONEq(t, unversioned(t, before), unversioned(t, after))
			}
		})
		t.Run("st-mary", func(t *testing.T) {
			for _, id := range g.StMary.IDs("DocumentReference") {
				target := "/fhir/st-mary/DocumentReference/" + id
				// This hospital takes a correction only, so that one comes first.
				read := c.get(target)
				corrected, err := sjson.SetBytes(read.body, "docStatus", "amended")
				require.NoError(t, err)
				c.call(http.MethodPut, target, string(corrected), "If-Match", read.Header.Get("ETag")).ok(http.StatusOK)
				before, _ := g.StMary.Resource("DocumentReference", id)
				require.Equal(t, "amended", gjson.GetBytes(before, "docStatus").Str)

				read = c.get(target)
				c.call(http.MethodPut, target, string(read.body), "If-Match", read.Header.Get("ETag")).ok(http.StatusOK)
				after, _ := g.StMary.Resource("DocumentReference", id)
				require.Equal(t, unversioned(t, before), unversioned(t, after), "byte for byte but for the version")
			}
		})
	})
}

// plant stores reports at harbor that hold its own address, escaped and plain,
// relative locators, and numbers and names that a careless reader would change.
func plant(t *testing.T, c *client) {
	t.Helper()
	base := c.Harbor.BaseURL()
	for _, resource := range []string{
		`{ "resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"Binary/4000","size":1e2}},{"attachment":{"url":"` + base + `/Binary/4000"}}]}`,
		`{"resourceType":"DocumentReference","subject":{"reference":"http:\/\/` + base[len("http://"):] + `\/Patient\/100000"},"status":"current","description":"\u00e9\ud83d\ude00"}`,
		`{"resourceType":"DocumentReference","text":{"status":"generated","div":"<div><a href=\"` + base + `/Patient/100000\">x</a></div>"},"_status":{"id":"a"},"unknown":[1.0,-0.0,1.50E+1,100.0000000000000000001]}`,
		`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"` + base + `/codes","code":"x"}]},"valueQuantity":{"value":98.60},"subject":{"reference":"` + base + `/Patient/100000/_history/1"}}`,
		`{"resourceType":"Patient","photo":[{"url":"Binary/1#part"},{"url":"https://elsewhere.example/p.png"}],"extension":[{"url":"` + base + `/e","valueUrl":"` + base + `/Patient/1?a=b#c"}]}`,
	} {
		typ := gjson.Get(resource, "resourceType").Str
		c.call(http.MethodPost, "/fhir/harbor/"+typ, resource).ok(http.StatusCreated)
	}
}

// unversioned is a resource without what each update changes.
func unversioned(t *testing.T, resource []byte) string {
	t.Helper()
	for _, path := range []string{"meta.versionId", "meta.lastUpdated"} {
		var err error
		resource, err = sjson.DeleteBytes(resource, path)
		require.NoError(t, err)
	}
	return string(resource)
}
