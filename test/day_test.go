package test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
)

// hospitalDay is how a PACS asks one hospital for what every hospital has.
type hospitalDay struct {
	id           string
	simulated    func(g *gateway) *sandbox.Hospital
	appointments func(t *testing.T, c *client, day string) []gjson.Result
	mrnSystem    string
	deliver      func(d delivery) map[string]any
}

var hospitalDays = []hospitalDay{
	{
		id:        "harbor",
		simulated: func(g *gateway) *sandbox.Hospital { return g.Harbor },
		appointments: func(_ *testing.T, c *client, day string) []gjson.Result {
			return c.entries("/fhir/harbor/Appointment?date=" + day)
		},
		mrnSystem: "https://hospital.example/mrn",
		deliver:   document,
	},
	{
		id:        "st-mary",
		simulated: func(g *gateway) *sandbox.Hospital { return g.StMary },
		appointments: func(t *testing.T, c *client, day string) []gjson.Result {
			var found []gjson.Result
			rooms := c.entries("/fhir/st-mary/Location?status=active")
			require.Len(t, rooms, 4)
			for _, room := range rooms {
				found = append(found, c.entries("/fhir/st-mary/Appointment?date="+day+"&location="+room.Get("id").Str)...)
			}
			return found
		},
		mrnSystem: "urn:oid:2.16.840.1.113883.6.1000",
		deliver: func(d delivery) map[string]any {
			resource := document(d)
			resource["context"].(map[string]any)["period"] = map[string]any{"start": d.at, "end": d.at}
			return resource
		},
	},
	{
		id:        "lakeside",
		simulated: func(g *gateway) *sandbox.Hospital { return g.Lakeside },
		appointments: func(_ *testing.T, c *client, day string) []gjson.Result {
			var found []gjson.Result
			for _, patient := range c.Lakeside.IDs("Patient")[:30] {
				found = append(found, c.entries("/fhir/lakeside/Appointment?patient="+patient+"&date="+day)...)
			}
			return found
		},
		mrnSystem: "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.14",
		deliver:   document,
	},
}

// today is the date at the simulated hospitals, as a FHIR date.
func today(t *testing.T) string {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	return time.Now().In(zone).Format(time.DateOnly)
}

// TestPACSDay takes a PACS through its day at each hospital: worklist, patients
// and visits, a walk-in, a report delivered, read back and corrected.
func TestPACSDay(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		pacs := g.newClient(t, "e2e")
		for _, day := range hospitalDays {
			t.Run(day.id, func(t *testing.T) {
				c := *pacs
				c.t = t
				worklist(t, &c, day)
				walkIn(t, &c, day)
				readBinary(t, &c, day)
				deliverAndCorrect(t, &c, day)
			})
		}
		t.Run("all patients of harbor", func(t *testing.T) {
			c := *pacs
			c.t = t
			everyPatient(t, &c)
		})
	})
}

// worklist reads today's appointments, and the patient and visit of each.
func worklist(t *testing.T, c *client, day hospitalDay) {
	found := day.appointments(t, c, today(t))
	require.Len(t, found, 24, "the simulated hospital has 24 appointments a day")
	visits := 0
	for _, appointment := range found {
		who := patientOf(appointment)
		require.NotEmpty(t, who)
		patient := c.get("/fhir/" + day.id + "/" + who).ok(http.StatusOK)
		require.Equal(t, strings.TrimPrefix(who, "Patient/"), patient.Get("id").Str)
		for _, visit := range c.entries("/fhir/" + day.id + "/Encounter?patient=" + patient.Get("id").Str) {
			require.Equal(t, who, visit.Get("subject.reference").Str)
			visits++
		}
	}
	require.Equal(t, 12, visits, "the simulated hospital has 12 visits a day")
}

// patientOf returns the reference to an appointment's patient.
func patientOf(appointment gjson.Result) string {
	for _, actor := range appointment.Get("participant.#.actor.reference").Array() {
		if strings.HasPrefix(actor.Str, "Patient/") {
			return actor.Str
		}
	}
	return ""
}

// walkIn finds a patient without an appointment by number and by name, and
// verifies who it is.
func walkIn(t *testing.T, c *client, day hospitalDay) {
	base := "/fhir/" + day.id + "/Patient"
	byNumber := c.entries(base + "?identifier=" + url.QueryEscape(day.mrnSystem+"|200100"))
	require.Len(t, byNumber, 1)
	walkedIn := byNumber[0]

	name := url.Values{"family": {walkedIn.Get("name.0.family").Str}, "birthdate": {walkedIn.Get("birthDate").Str}}
	require.NotEmpty(t, name.Get("family"))
	byName := c.entries(base + "?" + name.Encode())
	require.Contains(t, ids(byName), walkedIn.Get("id").Str)

	read := c.get(base + "/" + walkedIn.Get("id").Str).ok(http.StatusOK)
	require.Equal(t, walkedIn.Raw, read.Raw, "search and read show the same patient")
	stored, ok := day.simulated(c.gateway).Resource("Patient", read.Get("id").Str)
	require.True(t, ok)
	// Epic's rules trim its numbers; nothing else changes in a patient without locators.
	require.Equal(t, regexp.MustCompile(`"value":" +`).ReplaceAllString(string(stored), `"value":"`), read.Raw)

	require.Empty(t, c.entries(base+"?identifier="+url.QueryEscape(day.mrnSystem+"|999999")), "nobody has this number")
	c.get(base+"/nobody").refused(http.StatusNotFound, "not-found")
}

func ids(resources []gjson.Result) []string {
	found := make([]string, len(resources))
	for i, resource := range resources {
		found[i] = resource.Get("id").Str
	}
	return found
}

// readBinary reads the PDF of an older report by the URL in its attachment.
func readBinary(t *testing.T, c *client, day hospitalDay) {
	report := c.get("/fhir/" + day.id + "/DocumentReference/" + day.simulated(c.gateway).IDs("DocumentReference")[0]).ok(http.StatusOK)
	link := report.Get("content.0.attachment.url").Str
	require.True(t, strings.HasPrefix(link, c.url+"/fhir/"+day.id+"/Binary/"), "an attachment is at the gateway: %s", link)
	pdf := c.get(link, "Accept", "application/pdf")
	pdf.ok(http.StatusOK)
	require.Equal(t, "application/pdf", pdf.Header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(string(pdf.body), "%PDF-"))
	require.Contains(t, string(pdf.body), report.Get("id").Str, "it is the PDF of this report")
}

// everyPatient pages through all patients by sealed links.
func everyPatient(t *testing.T, c *client) {
	seen, pages, sealed := map[string]bool{}, 0, 0
	c.pages("/fhir/harbor/Patient?_count=20", func(page answer) {
		pages++
		bundle := gjson.ParseBytes(page.body)
		for _, id := range bundle.Get("entry.#.resource.id").Array() {
			require.False(t, seen[id.Str], "a patient comes twice")
			seen[id.Str] = true
		}
		if link := next(bundle); link != "" {
			require.True(t, strings.HasPrefix(link, c.url+"/fhir/harbor/"))
			if strings.HasPrefix(link, c.url+"/fhir/harbor/_sealed/") {
				sealed++
			}
		}
	})
	require.Len(t, seen, 200)
	require.Equal(t, 10, pages)
	require.Equal(t, 9, sealed, "the hospital's page links hang at its base, so each is sealed")
}
