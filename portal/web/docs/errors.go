package docs

import (
	"net/http"
	"strconv"

	"fhirgate/portal/web/page"
)

// issue is an issue code of OperationOutcomes, with the cases in which the
// gateway answers it.
type issue struct {
	Code  string
	Title string
	Cases []failure
}

// failure is a status with an issue code.
type failure struct {
	Status int
	Means  string
	Do     string
}

// Text is what HTTP calls the status.
func (f failure) Text() string { return http.StatusText(f.Status) }

// statusRow is a status with the issue codes that come with it.
type statusRow struct {
	Status int
	Text   string
	Codes  []string
}

// Anchor is where the page tells of one of the codes with this status.
func (s statusRow) Anchor(code string) string { return strconv.Itoa(s.Status) + "-" + code }

// errors explains every status and issue code that the gateway answers. The
// anchors are the statuses, the codes and both together: #404, #not-found,
// #404-not-found.
func (p *Pages) errors(r *page.Request) error {
	return r.Render(http.StatusOK, "errors", struct {
		Statuses []statusRow
		Issues   []issue
	}{statusRows(issues), issues})
}

// statusRows turns the table round, by status.
func statusRows(issues []issue) []statusRow {
	byStatus := map[int][]string{}
	for _, i := range issues {
		for _, c := range i.Cases {
			byStatus[c.Status] = append(byStatus[c.Status], i.Code)
		}
	}
	var rows []statusRow
	for status := 400; status < 600; status++ {
		if codes := byStatus[status]; codes != nil {
			rows = append(rows, statusRow{Status: status, Text: http.StatusText(status), Codes: codes})
		}
	}
	return rows
}
