// Package gallery is a page with every component of the design system, to look
// at and to test.
package gallery

import (
	"embed"
	"io"
	"io/fs"
	"time"

	"fhirgate/portal/web/ui"
)

//go:embed templates
var pages embed.FS

// Templates are the gallery's pages: "gallery" in the app layout, and
// "gallery-bare" in the layout of the sign-in pages.
func Templates() fs.FS { return pages }

// Render writes the page called name within frame.
func Render(w io.Writer, name string, frame ui.Frame) error {
	templates, err := ui.NewTemplates(pages)
	if err != nil {
		return err
	}
	return templates.Render(w, name, frame, Sample(time.Now()))
}

// Frame is a sample of what surrounds a page, for the path of a page.
func Frame(path string) ui.Frame {
	return ui.Frame{
		Viewer: &ui.Viewer{Name: "Ada Kowalski", Email: "ada.kowalski@pacs.example", Admin: true},
		Path:   path,
		Announcements: []ui.Announcement{
			{Title: "Maintenance on Sunday.", Text: "Mercy General does not answer between 02:00 and 04:00 UTC.", Level: "warn"},
		},
		Flashes:         []ui.Flash{{Tone: "ok", Text: "The key was rotated. The old one works for another 24 hours."}},
		RequestID:       "01jd8c4e7k2mq",
		PendingRequests: 3,
		ExpiringKeys:    2,
		Version:         "1.0.0",
	}
}

// Data is what the gallery's templates show.
type Data struct {
	Now, Soon, Past, Never time.Time
	Form                   ui.Form
	Plans, Hospitals       []ui.Option
	Chart, Year            ui.Chart
	Counts                 []Count
	List                   List
	Command                string
	Keys                   []Key
}

// Count is an amount with a name.
type Count struct {
	Name  string
	Calls int64
}

// List is a page of a list.
type List struct {
	Total int
	Page  struct{ Number, Size int }
}

// Key is a row of a table.
type Key struct {
	Name, App, Plan, State, Hint string
	LastUsed, Expires            time.Time
	Calls                        int64
}

// Sample is the same data for the same time.
func Sample(now time.Time) Data {
	data := Data{
		Now: now, Soon: now.Add(9 * 24 * time.Hour), Past: now.Add(-3 * time.Hour),
		Form: sampleForm{},
		Plans: []ui.Option{
			{Value: "trial", Label: "Trial", Help: "1,000 calls a day, simulated hospitals only"},
			{Value: "standard", Label: "Standard", Help: "100,000 calls a day"},
			{Value: "bulk", Label: "Bulk", Help: "Ask the administrators first", Disabled: true},
		},
		Hospitals: []ui.Option{
			{Value: "st-mary", Label: "St. Mary's Hospital", Help: "Oracle Health · America/Chicago"},
			{Value: "mercy", Label: "Mercy General", Help: "Epic · America/New_York"},
			{Value: "northside", Label: "Northside Clinic", Help: "athenahealth · America/Denver"},
		},
		Chart: chart(now, 30), Year: chart(now, 365),
		Counts:  []Count{{"St. Mary's Hospital", 48210}, {"Mercy General", 20144}, {"Northside Clinic", 913}, {"Demo", 4}},
		Command: "curl -sS https://gateway.example/fhir/st-mary/Patient?identifier=12345 \\\n  -H \"Authorization: Bearer $FHIRGATE_KEY\" \\\n  -H \"Accept: application/fhir+json\"\n",
		Keys: []Key{
			{"Viewer backend", "Radiology viewer", "Standard", "active", "…7f2c", now.Add(-2 * time.Minute), now.Add(80 * 24 * time.Hour), 48210},
			{"Nightly worklist", "Worklist sync", "Standard", "rotating", "…a91d", now.Add(-9 * time.Hour), now.Add(9 * 24 * time.Hour), 20144},
			{"Prototype", "Radiology viewer", "Trial", "revoked", "…03be", time.Time{}, now.Add(-24 * time.Hour), 0},
		},
	}
	data.List.Total, data.List.Page.Number, data.List.Page.Size = 10234, 2, 50
	return data
}

func chart(now time.Time, days int) ui.Chart {
	made := ui.Chart{Series: []ui.Series{{Name: "Answered", Tone: "ok"}, {Name: "Refused", Tone: "warn"}, {Name: "Failed", Tone: "bad"}}}
	for i := range days {
		date := now.UTC().AddDate(0, 0, i-days+1)
		made.Days = append(made.Days, date.Format(time.DateOnly))
		calls := int64(900 + 37*(i*i%23))
		if date.Weekday() == time.Saturday || date.Weekday() == time.Sunday {
			calls /= 4
		}
		for s, value := range []int64{calls, calls / int64(11+i%5), int64(i * 7 % 60)} {
			made.Series[s].Values = append(made.Series[s].Values, value)
		}
	}
	return made
}

// sampleForm was sent with one field wrong.
type sampleForm struct{}

func (sampleForm) Value(name string) string {
	return map[string]string{"name": "Radiology viewer", "email": "ada at pacs.example", "plan": "standard", "hospital": "st-mary"}[name]
}

func (sampleForm) Error(name string) string {
	return map[string]string{
		"":        "Two fields need another look.",
		"email":   "This is no e-mail address: it has no @.",
		"purpose": "Say in a sentence what the data is for.",
	}[name]
}

func (sampleForm) Has(name, value string) bool {
	return name == "plan" && value == "standard" || name == "hospital" && value != "northside"
}
