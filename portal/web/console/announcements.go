package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// longestTitle bounds the titles of announcements, in characters.
const longestTitle = 120

func levelOptions() []ui.Option {
	return []ui.Option{
		{Value: store.LevelInfo, Label: "Information", Help: "Something to know: a new hospital, a plan that changes."},
		{Value: store.LevelWarn, Label: "Warning", Help: "Something that gets in the way: maintenance, an outage."},
	}
}

func (p *Pages) announcements(r *page.Request) error {
	return p.showAnnouncements(r, http.StatusOK, page.NewForm("level", store.LevelInfo))
}

func (p *Pages) showAnnouncements(r *page.Request, status int, form *page.Form) error {
	list, err := p.store.Announcements(r.Context(), r.Page(pageSize))
	if err != nil {
		return err
	}
	var ids []string
	for _, a := range list.Items {
		ids = append(ids, a.CreatedBy)
	}
	names, err := p.userNames(r.Context(), ids...)
	if err != nil {
		return err
	}
	return r.Render(status, "console-announcements", struct {
		Form   *page.Form
		Levels []ui.Option
		List   store.List[store.Announcement]
		Names  map[string]string // of users
		Query  url.Values
		Now    time.Time
		Today  string
	}{form, levelOptions(), list, names, r.URL.Query(), p.now(), string(store.DayOf(p.now()))})
}

func (p *Pages) announce(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	wanted := store.Announcement{
		Title: form.Required("title", "Give it a title."), Level: form.Value("level"),
		Ends: p.lastMoment(form, "ends"),
	}
	form.Required("text", "Say what people should know.")
	wanted.Text = textOf(form, "text")
	if utf8.RuneCountInString(wanted.Title) > longestTitle {
		form.Fail("title", "This is too long for a title: 120 characters are enough.")
	}
	if wanted.Level != store.LevelInfo && wanted.Level != store.LevelWarn {
		form.Fail("level", "Choose one of the levels.")
	}
	if !form.OK() {
		return p.showAnnouncements(r, http.StatusUnprocessableEntity, form)
	}
	if _, err := p.store.Announce(r.Context(), r.By(), wanted); err != nil {
		return err
	}
	r.Flash("ok", "Everybody sees the announcement from now on.")
	return r.Redirect("/console/announcements")
}

func (p *Pages) endAnnouncement(r *page.Request) error {
	err := p.store.EndAnnouncement(r.Context(), r.By(), r.PathValue("announcement"))
	if errors.Is(err, store.ErrConflict) {
		return page.Conflict("This announcement has ended already.")
	}
	if err != nil {
		return err
	}
	r.Flash("ok", "The announcement has ended.")
	return r.Redirect("/console/announcements")
}
