package developer

import (
	"encoding/csv"
	"io"
	"net/http"
	"strconv"
	"strings"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

const csvEnding = ".csv"

func (p *Pages) appUsageFile(r *page.Request, app ownApp) error {
	counted, err := p.usageOf(r, &app)
	if err != nil {
		return err
	}
	return p.sendUsage(r, counted)
}

func (p *Pages) usageFile(r *page.Request) error {
	counted, err := p.usageOf(r, nil)
	if err != nil {
		return err
	}
	return p.sendUsage(r, counted)
}

func (p *Pages) sendUsage(r *page.Request, counted usageData) error {
	name := "usage-" + string(p.day(0)) + csvEnding
	r.W.Header().Set("Content-Type", "text/csv; charset=utf-8")
	r.W.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	r.W.Header().Set("X-Content-Type-Options", "nosniff")
	r.W.WriteHeader(http.StatusOK)
	return writeUsage(r.W, counted.Usage)
}

// writeUsage writes one count a line: what it is by, of what, how the calls
// ended, and how many they are.
func writeUsage(w io.Writer, usage store.Usage) error {
	out := csv.NewWriter(w)
	line := func(by, name, outcome string, calls int64) {
		// The writer keeps its first error, and Flush tells of it.
		_ = out.Write([]string{by, harmless(name), outcome, strconv.FormatInt(calls, 10)})
	}
	_ = out.Write([]string{"by", "name", "outcome", "calls"})
	for _, day := range usage.Days {
		line("day", string(day.Day), "answered", day.OK)
		line("day", string(day.Day), "client error", day.ClientErrors)
		line("day", string(day.Day), "server error", day.ServerErrors)
	}
	for _, group := range []struct {
		by     string
		counts []store.Count
	}{
		{"hospital", usage.Hospitals},
		{"interaction", usage.Interactions},
		{"status", usage.Statuses},
	} {
		for _, count := range group.counts {
			line(group.by, count.Name, "", count.Calls)
		}
	}
	out.Flush()
	return out.Error()
}

// harmless keeps spreadsheets from taking a text for a formula: what begins like
// one gets an apostrophe, which they take for "this is text".
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
