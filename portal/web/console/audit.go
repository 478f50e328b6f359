package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fhirgate/portal/store"
	"fhirgate/portal/trail"
	"fhirgate/portal/web/page"
)

// audit lists what was done, newest first.
func (p *Pages) audit(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	filter, err := p.actFilter(r.Context(), form)
	if err != nil {
		return err
	}
	var list store.FoundActs
	if form.OK() {
		if list, err = p.store.Acts(r.Context(), filter, r.Page(pageSize)); err != nil {
			return err
		}
	}
	filtered := false
	for _, name := range []string{"search", "name", "user", "from", "to", "before"} {
		filtered = filtered || form.Value(name) != ""
	}
	data := struct {
		Form     *page.Form
		Query    url.Values
		List     store.FoundActs
		Acts     []shownAct
		Names    []actName
		Filtered bool
		Older    url.Values // asks for what the search has not looked at; nil = it has looked at all
		Trail    trail.State
	}{form, form.Values, list, actsShown(list.Items), actNames(), filtered, older(form.Values, list.Older), p.trail.State()}
	if !form.OK() {
		return r.Render(http.StatusUnprocessableEntity, "console-audit", data)
	}
	return listed(r, "console-audit", data)
}

// older is the question of an address, of the acts before one. It is nil when there
// are none to look at.
func older(asked url.Values, before int64) url.Values {
	if before == 0 {
		return nil
	}
	changed := maps.Clone(asked)
	changed.Del("page")
	changed.Set("before", strconv.FormatInt(before, 10))
	return changed
}

// actFilter reads the filter of an address, and notes what is wrong in its form.
func (p *Pages) actFilter(ctx context.Context, form *page.Form) (store.ActFilter, error) {
	filter := store.ActFilter{Search: form.Value("search"), Name: form.Value("name")}
	if from, given := dateOf(form, "from"); given {
		filter.From = from
	}
	if to, given := dateOf(form, "to"); given {
		filter.To = to.AddDate(0, 0, 1)
		if filter.To.Before(filter.From) || filter.To.Equal(filter.From) {
			form.Fail("to", "The last day comes before the first one.")
		}
	}
	if text := form.Value("before"); text != "" {
		if filter.Before, _ = strconv.ParseInt(text, 10, 64); filter.Before < 1 {
			form.Fail("search", "The number of the act before which to search is no number.")
		}
	}
	who := form.Value("user")
	switch {
	case who == "":
	case strings.HasPrefix(who, "user_"):
		filter.UserID = who
	default:
		user, err := p.store.UserByEmail(ctx, who)
		if errors.Is(err, store.ErrNotFound) {
			form.Fail("user", "Nobody has an account with this e-mail address.")
		} else if err != nil {
			return filter, err
		}
		filter.UserID = user.ID
	}
	return filter, nil
}

// exportActs answers with the whole trail as JSON lines. Who took it is an act as
// well, the last one of the export. Its last line is the head of the trail.
func (p *Pages) exportActs(r *page.Request) error {
	if err := p.store.Record(r.Context(), r.By(), "acts.export", "acts", "", nil); err != nil {
		return err
	}
	header := r.W.Header()
	header.Set("Content-Type", "application/jsonl; charset=utf-8")
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="acts_%s.jsonl"`, store.DayOf(p.now())))
	if _, _, err := p.store.ExportActs(r.Context(), r.W); err != nil {
		// Half of it was sent: breaking off tells the reader that it is not whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}
