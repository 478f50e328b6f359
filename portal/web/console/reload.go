package console

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/web/page"
)

// problem is what a reload found wrong, and where.
type problem struct {
	Place string // file:line:column; "" = in no one place
	Text  string
}

var placed = regexp.MustCompile(`^(.+?:\d+(?::\d+)?): (.*)$`)

func problemsOf(texts []string) []problem {
	list := make([]problem, len(texts))
	for i, text := range texts {
		list[i] = problem{Text: text}
		if found := placed.FindStringSubmatch(text); found != nil {
			list[i] = problem{Place: found[1], Text: found[2]}
		}
	}
	return list
}

// lastReload shows how the last reload went, whoever asked for it.
func (p *Pages) lastReload(r *page.Request) error {
	ctx, cancel := hurried(r)
	defer cancel()
	last, away := p.gateway.LastReload(ctx)
	var problems []problem
	if last != nil {
		problems = problemsOf(last.Problems)
	}
	return r.Render(http.StatusOK, "console-reload", struct {
		Last     *adminapi.Reloading
		Problems []problem
		Away     string
	}{last, problems, absenceOf(away)})
}

// reload has the gateway read its files again. That is an act, whatever comes of
// it.
func (p *Pages) reload(r *page.Request) error {
	loaded, err := p.gateway.Reload(r.Context())
	var refusal *adminapi.Refusal
	detail := map[string]string{}
	tone, text := "ok", "The files are in force."
	switch {
	case err == nil:
		detail["outcome"] = "taken"
		detail["hospitals"], detail["plans"] = strconv.Itoa(loaded.Hospitals), strconv.Itoa(loaded.Plans)
	case errors.As(err, &refusal) && refusal.Status != http.StatusUnauthorized:
		detail["outcome"] = "refused"
		tone, text = "bad", "The files are refused: those of before stay in force. Below is what to mend."
	default:
		detail["outcome"] = "unknown"
	}
	if recorded := p.store.Record(r.Context(), r.By(), "gateway.reload", "gateway", "", detail); recorded != nil {
		return recorded
	}
	if detail["outcome"] == "unknown" {
		return err
	}
	r.Flash(tone, text)
	return r.Redirect("/console/reload")
}
