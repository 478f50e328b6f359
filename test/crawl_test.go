package test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
)

// crawler follows everything that answers of one hospital lead to, and looks
// for the hospital's own address in all of them.
type crawler struct {
	*client
	t        *testing.T
	hospital *sandbox.Hospital
	public   string // of the hospital at the gateway
	queue    []string
	seen     map[string]bool
	answers  int
	refused  int // links to what the route does not list
}

// TestNoLocatorShowsAHospital crawls the three hospitals through the gateway.
// Their synthetic identities never hold their address, so that it may stand
// nowhere at all; and every link that the gateway gives must work.
func TestNoLocatorShowsAHospital(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		c := g.newClient(t, "e2e")
		for _, hospital := range []*sandbox.Hospital{g.Harbor, g.StMary, g.Lakeside} {
			t.Run(hospital.ID(), func(t *testing.T) {
				crawl := &crawler{client: c, t: t, hospital: hospital, public: g.url + "/fhir/" + hospital.ID(), seen: map[string]bool{}}
				crawl.add("metadata")
				for _, target := range startsOf(hospital) {
					crawl.add(target)
				}
				crawl.run()
				crawl.bodies()
				t.Logf("%d answers looked at, %d links led to what the route does not list", crawl.answers, crawl.refused)
				require.Greater(t, crawl.answers, 300)
			})
		}
	})
}

// startsOf returns the searches from which everything at a hospital is reached.
func startsOf(h *sandbox.Hospital) []string {
	if h.Vendor() == "hapi" {
		starts := []string{
			"_history?_count=100", "Patient/_history", "Appointment/_history?_count=5", "Patient/100000/_history", "Patient/100000/$everything?_count=7",
			"Appointment?_count=10&_include=Appointment:actor&_include=Appointment:patient", "Patient?_summary=count",
		}
		for _, typ := range []string{"Patient", "Appointment", "Encounter", "Observation", "DocumentReference", "Practitioner", "Location", "Organization"} {
			starts = append(starts, typ+"?_count=30")
		}
		return starts
	}
	var starts []string
	for _, patient := range h.IDs("Patient")[:30] {
		starts = append(starts, "Patient?_id="+patient, "Encounter?patient="+patient, "DocumentReference?patient="+patient+"&_count=1",
			"Observation?patient="+patient+"&category=vital-signs&_count=10", "Appointment?patient="+patient+"&date=ge2020-01-01T00:00:00Z")
	}
	for _, location := range h.IDs("Location") {
		starts = append(starts, "Location?_id="+location)
		if h.Vendor() == "oracle" {
			starts = append(starts, "Appointment?location="+location+"&date=ge2020-01-01T00:00:00Z&_count=3")
		}
	}
	return starts
}

// add puts a link into the queue, once.
func (c *crawler) add(link string) {
	if !strings.Contains(link, "://") {
		link = c.public + "/" + link
	}
	link, _, _ = strings.Cut(link, "#")
	gateway, _, _ := strings.Cut(c.public, "/fhir/")
	nothing := link == c.public || strings.HasPrefix(link, gateway+"/oauth/") || strings.HasSuffix(link, "?") // "Patient?" is how Epic's like calls a search by form
	if !c.seen[link] && !nothing {
		c.seen[link] = true
		c.queue = append(c.queue, link)
	}
}

func (c *crawler) run() {
	for len(c.queue) > 0 {
		link := c.queue[0]
		c.queue = c.queue[1:]
		require.True(c.t, strings.HasPrefix(link, c.public+"/"), "a link leads elsewhere: %s", link)
		accept := fhirJSON
		if strings.Contains(link, "/Binary/") {
			accept = "application/pdf"
		}
		a, err := c.try(http.MethodGet, link, "", "Accept", accept)
		require.NoError(c.t, err)
		c.look(a)
	}
}

// look checks one answer and queues where it leads.
func (c *crawler) look(a answer) {
	c.answers++
	if a.StatusCode == http.StatusForbidden && gjson.GetBytes(a.body, "issue.0.code").Str == "not-supported" {
		c.refused++
		return
	}
	require.Equal(c.t, http.StatusOK, a.StatusCode, "%s: %.500s", a.Request.URL, a.body)
	host := strings.TrimPrefix(c.hospital.BaseURL(), "http://")
	address, _, _ := strings.Cut(host, "/")
	require.NotContains(c.t, string(a.body), address, "%s shows the hospital", a.Request.URL)
	require.NotContains(c.t, fmt.Sprint(a.Header), address, "a header of %s shows the hospital", a.Request.URL)
	for _, name := range []string{"Location", "Content-Location"} {
		if link := a.Header.Get(name); link != "" {
			c.add(link)
		}
	}
	if strings.Contains(a.Header.Get("Content-Type"), "json") {
		require.True(c.t, gjson.ValidBytes(a.body))
		c.follow("", gjson.ParseBytes(a.body))
	}
}

var relative = regexp.MustCompile(`^[A-Z][A-Za-z]+/[A-Za-z0-9.-]+$`)

// follow queues every locator below a value. Sealed links back and to the page
// itself are left out: they are sealed anew each time, and would have no end.
func (c *crawler) follow(name string, value gjson.Result) {
	switch {
	case value.Get("relation").Str != "next" && strings.Contains(value.Get("url").Str, "/_sealed/"):
	case value.IsObject(), value.IsArray():
		value.ForEach(func(key, child gjson.Result) bool {
			if value.IsObject() {
				name = key.Str
			}
			c.follow(name, child)
			return true
		})
	case strings.HasPrefix(value.Str, c.url):
		c.add(value.Str)
	case name == "reference" && relative.MatchString(value.Str):
		c.add(value.Str)
	}
}

// bodies looks at answers to calls with a body, and at refusals.
func (c *crawler) bodies() {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for _, call := range [][3]string{
		{http.MethodPost, "/Patient/_search", "_id=" + c.hospital.IDs("Patient")[0]},
		{http.MethodPost, "/Observation/_search", "patient=" + c.hospital.IDs("Patient")[0] + "&category=vital-signs"},
	} {
		a, err := c.try(call[0], c.public+call[1], call[2], form...)
		require.NoError(c.t, err)
		if c.hospital.Vendor() != "oracle" { // it takes no form
			c.look(a)
		}
	}
	if c.hospital.Vendor() == "hapi" {
		a, err := c.try(http.MethodPost, c.public, `{"resourceType":"Bundle","type":"batch","entry":[
			{"request":{"method":"GET","url":"Patient/100000"}},
			{"request":{"method":"GET","url":"`+c.public+`/Observation?patient=100000&_count=2"}},
			{"request":{"method":"GET","url":"Patient/no-such-patient"}},
			{"resource":{"resourceType":"Patient","link":[{"type":"seealso","other":{"reference":"`+c.public+`/Patient/100001"}}]},"request":{"method":"POST","url":"Patient"}}]}`)
		require.NoError(c.t, err)
		c.look(a)
		require.Equal(c.t, "200 OK|200 OK|404 Not Found|201 Created", strings.Join(texts(gjson.GetBytes(a.body, "entry.#.response.status")), "|"), "%s", a.body)
	}
	c.run()
}

func texts(list gjson.Result) []string {
	var found []string
	for _, element := range list.Array() {
		found = append(found, element.Str)
	}
	return found
}
