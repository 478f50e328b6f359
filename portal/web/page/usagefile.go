package page

import (
	"encoding/csv"
	"io"
	"net/http"
	"strconv"
	"strings"

	"fhirgate/portal/store"
)

// SendUsage answers with usage as a CSV file of that name (RFC 4180).
func (r *Request) SendUsage(name string, usage store.Usage) error {
	header := r.W.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	header.Set("X-Content-Type-Options", "nosniff")
	r.W.WriteHeader(http.StatusOK)
	return writeUsage(r.W, usage)
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
