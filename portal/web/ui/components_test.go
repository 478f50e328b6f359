package ui

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// form is a form that was sent.
type form struct {
	values url.Values
	errors map[string]string
}

func (f form) Value(name string) string { return f.values.Get(name) }
func (f form) Error(name string) string { return f.errors[name] }
func (f form) Has(name, value string) bool {
	for _, each := range f.values[name] {
		if each == value {
			return true
		}
	}
	return false
}

// show renders a piece of a page.
func show(t *testing.T, piece string, data any) string {
	t.Helper()
	made, err := tryShow(piece, data)
	require.NoError(t, err)
	return made
}

func tryShow(piece string, data any) (string, error) {
	templates, err := NewTemplates(page("piece", `{{define "title"}}A{{end}}{{define "content"}}`+piece+`{{end}}`))
	if err != nil {
		return "", err
	}
	var made strings.Builder
	err = templates.RenderPart(&made, "piece", "content", data)
	return made.String(), err
}

func TestFieldsShowValuesAndErrors(t *testing.T) {
	sent := form{url.Values{"email": {`a"><script>`}}, map[string]string{"email": "This is no address."}}
	made := show(t, `{{template "field" (field . "email" "Email" "type=email" "autocomplete=username" "required" "help=Of the company.")}}`, sent)
	require.Contains(t, made, `<label class="label" for="field-email">Email</label>`)
	require.Contains(t, made, `type="email" value="a&#34;&gt;&lt;script&gt;" autocomplete="username" aria-describedby="field-email-help field-email-error" aria-invalid="true" required>`)
	require.Contains(t, made, `<p class="help" id="field-email-help">Of the company.</p>`)
	require.Contains(t, made, `id="field-email-error"`)

	password := show(t, `{{template "field" (field . "password" "Password" "type=password")}}`, form{values: url.Values{"password": {"hunter2 hunter2"}}})
	require.NotContains(t, password, "hunter2", "a password never goes back into a page")

	var none Form
	require.Contains(t, show(t, `{{template "field" (field .Form "n" "N" "value=7")}}`, struct{ Form Form }{none}), `value="7"`)
	require.Contains(t, show(t, `{{template "textarea" (field . "n" "N" "rows=3")}}`, form{values: url.Values{"n": {"</textarea><b>"}}}), `&lt;/textarea&gt;&lt;b&gt;</textarea>`)
}

func TestAMistakeInATemplateIsAnError(t *testing.T) {
	for piece, want := range map[string]string{
		`{{template "field" (field . "n" "N" "colour=red")}}`:      `field n: unknown option "colour"`,
		`{{template "field" (field . "n" "N" "bold")}}`:            `field n: unknown option "bold"`,
		`{{template "badge" (badge "A" "green")}}`:                 `tone "green": allowed are ok, warn, bad, info, quiet`,
		`{{template "confirm" (confirm "A" "B" "C" "/d" "loud")}}`: `confirm: unknown option "loud"`,

		`{{icon "unicorn"}}`:                     `no drawing is named "icons/unicorn.svg"`,
		`{{dict "a"}}`:                           `dict: 1 arguments, want pairs`,
		`{{join 5 ","}}`:                         `join: int is no list`,
		`{{template "bars" (bars "A" 5)}}`:       `bars: int is no slice`,
		`{{template "level" (level "A" "x" 5)}}`: `level: string is no number`,
	} {
		_, err := tryShow(piece, form{})
		require.ErrorContains(t, err, want)
	}
}

func TestChoicesKeepWhatWasChosen(t *testing.T) {
	data := struct {
		Form    Form
		Options []Option
	}{form{values: url.Values{"h": {"b", "c"}}}, []Option{{Value: "a", Label: "A", Help: "First"}, {Value: "b", Label: "B"}, {Value: "c", Label: "C", Disabled: true}}}

	checks := show(t, `{{template "checks" (choice .Form "h" "Hospitals" .Options "help=Choose.")}}`, data)
	require.Contains(t, checks, `<fieldset class="field" aria-describedby="field-h-help">`)
	require.Contains(t, checks, `<legend class="label">Hospitals</legend>`)
	require.Contains(t, checks, `id="field-h-0" name="h" type="checkbox" value="a" aria-describedby="field-h-0-help">`)
	require.Contains(t, checks, `value="b" checked>`)
	require.Contains(t, checks, `value="c" checked disabled>`)

	data.Form = form{values: url.Values{"h": {"b"}}}
	require.Contains(t, show(t, `{{template "select" (choice .Form "h" "H" .Options "blank=Any" "value=a")}}`, data), `<option value="b" selected>B</option>`)
	data.Form = nil
	made := show(t, `{{template "select" (choice .Form "h" "H" .Options "blank=Any" "value=a")}}`, data)
	require.Contains(t, made, `<option value="">Any</option>`)
	require.Contains(t, made, `<option value="a" selected>A</option>`)
	require.Contains(t, show(t, `{{template "radios" (choice .Form "h" "H" .Options "required")}}`, data), `type="radio" value="b" required>`)
}

func TestOneCheckBox(t *testing.T) {
	piece := `{{template "check" (field . "accept" "I agree")}}`
	require.Contains(t, show(t, piece, form{}), `type="checkbox" value="yes">`)
	require.Contains(t, show(t, piece, form{values: url.Values{"accept": {"yes"}}}), `value="yes" checked>`)
	require.Contains(t, show(t, `{{template "check" (field . "accept" "I agree" "value=1")}}`, form{errors: map[string]string{"accept": "Needed."}}), `value="1"`)
}

func TestTheProblemOfAForm(t *testing.T) {
	require.Contains(t, show(t, `{{template "problem" .}}`, form{errors: map[string]string{"": "Wrong <password>."}}), `role="alert"`)
	require.Empty(t, show(t, `{{template "problem" .}}`, form{}))
	require.Empty(t, show(t, `{{template "problem" .}}`, nil))
}

func TestASecretIsShownOnceAndEscaped(t *testing.T) {
	made := show(t, `{{template "secret" (secret "API key" .)}}`, `fg_<script>`)
	require.Equal(t, 1, strings.Count(made, "fg_"), "copying reads the element: no second copy in an attribute")
	require.Contains(t, made, `fg_&lt;script&gt;`)
	require.Contains(t, made, `data-copy="secret-e9efc6ec" hidden>`)
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 4, 5, 0, time.FixedZone("", 3600))
	require.Equal(t, `<time datetime="2026-11-22T14:04:05Z" data-time="full">22 Nov 2026, 14:04 UTC</time>`, show(t, `{{template "time" .}}`, at))
	require.Equal(t, `<time datetime="2026-11-22T14:04:05Z" data-time="date">22 Nov 2026</time>`, show(t, `{{template "date" .}}`, &at))
	require.Equal(t, `<span class="muted">–</span>`, show(t, `{{template "time" .}}`, time.Time{}))
	require.Equal(t, `<span class="muted">never</span>`, show(t, `{{template "ago" .}}`, (*time.Time)(nil)))
	require.Contains(t, show(t, `{{template "ago" .}}`, time.Now().Add(-3*time.Hour-time.Minute)), `>3 hours ago</time>`)
	require.Equal(t, `<time datetime="2026-11-02">2 Nov 2026</time>`, show(t, `{{template "day" .}}`, "2026-11-02"))
}

func TestRelativeTimes(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for distance, want := range map[time.Duration]string{
		0: "just now", -59 * time.Second: "just now", -time.Minute: "1 minute ago", -90 * time.Minute: "1 hour ago",
		47 * time.Hour: "in 47 hours", 49 * time.Hour: "in 2 days", -61 * 24 * time.Hour: "2 months ago", 800 * 24 * time.Hour: "in 2 years",
	} {
		require.Equal(t, want, relativeTo(now.Add(distance), now))
	}
}

func TestNumbersAndDurations(t *testing.T) {
	for value, want := range map[any]string{0: "0", 999: "999", 1000: "1,000", int64(-1234567): "-1,234,567", uint8(7): "7", "x": "x", 1.5: "1.5"} {
		require.Equal(t, want, number(value))
	}
	require.Equal(t, "1 call", plural(1, "call", "calls"))
	require.Equal(t, "1,200 calls", plural(int64(1200), "call", "calls"))
	for d, want := range map[time.Duration]string{
		15 * time.Minute: "15 minutes", 90 * time.Second: "1 minute 30 seconds", 50 * time.Hour: "2 days 2 hours",
		250 * time.Millisecond: "250 ms", -time.Hour: "1 hour", 0: "0 ms",
	} {
		require.Equal(t, want, duration(d))
	}
	for _, test := range []struct{ part, whole, want int }{{0, 10, 0}, {1, 1000, 1}, {999, 1000, 99}, {10, 10, 100}, {20, 10, 100}, {5, 0, 0}} {
		share, err := percent(test.part, test.whole)
		require.NoError(t, err)
		require.Equal(t, test.want, share)
	}
}

func TestAPagerKeepsTheQuery(t *testing.T) {
	type pages struct{ Number, Size int }
	type list struct {
		Total int
		Page  pages
	}
	data := struct {
		List  list
		Query url.Values
	}{list{120, pages{2, 50}}, url.Values{"search": {"a&b"}, "page": {"2"}}}
	made := show(t, `{{template "pager" (pager .List .Query)}}`, data)
	require.Contains(t, made, "51–100 of 120")
	require.Contains(t, made, `href="?page=1&amp;search=a%26b"`)
	require.Contains(t, made, `href="?page=3&amp;search=a%26b"`)
	require.Equal(t, []string{"2"}, data.Query["page"], "the query that was given is not changed")
	data.List = list{50, pages{1, 50}}
	require.Empty(t, show(t, `{{template "pager" (pager .List)}}`, data), "one page needs no pager")
}

func TestADialogAsksBeforeItPosts(t *testing.T) {
	made := show(t, `{{template "confirm" (confirm "Revoke" "Revoke it?" "No way back." "/credentials/c/revoke" "danger" "reason=Reason" "note?=Note" "hidden:edition=3")}}`, nil)
	require.Contains(t, made, `command="show-modal" commandfor="confirm-64c94ecd">Revoke</button>`)
	require.Contains(t, made, `<dialog class="dialog" id="confirm-64c94ecd" aria-labelledby="confirm-64c94ecd-title"><form class="form" method="post" action="/credentials/c/revoke">`)
	require.Contains(t, made, `name="reason" rows="2" maxlength="500" required>`)
	require.Contains(t, made, `name="note" rows="2" maxlength="500">`)
	require.Contains(t, made, `<input type="hidden" name="edition" value="3">`)
}

func TestAnUnsafeLinkIsNotALink(t *testing.T) {
	require.NotContains(t, show(t, `{{template "empty" (empty "A" "B" . "C")}}`, "javascript:alert(1)"), "javascript:")
}

func TestAChartIsATable(t *testing.T) {
	data := Chart{Days: []string{"2026-11-21", "2026-11-22"}, Series: []Series{{Name: "Answered", Tone: "ok", Values: []int64{1200, 7}}}}
	made := show(t, `{{template "chart" (chart "calls" "Calls a day" .)}}`, data)
	require.Contains(t, made, `<th scope="row"><time datetime="2026-11-21">21 Nov 2026</time></th><td class="number">1,200</td>`)
	require.Contains(t, made, "Show as a table, 1,207 in all")

	data.Series[0].Values = nil
	_, err := tryShow(`{{template "chart" (chart "calls" "Calls" .)}}`, data)
	require.ErrorContains(t, err, "chart calls: 0 values for 2 days")
}

func TestBarsAndLevels(t *testing.T) {
	type count struct {
		Name  string
		Calls int64
	}
	made := show(t, `{{template "bars" (bars "By hospital" .)}}`, []count{{"a", 200}, {"b", 50}})
	require.Contains(t, made, `<rect class="meter-fill" width="25%"`)
	require.Contains(t, show(t, `{{template "bars" (bars "By hospital" .)}}`, []count{}), "Nothing yet.")
	require.Contains(t, show(t, `{{template "level" (level "Today" 850 1000)}}`, nil), `class="level warn"`)
	require.Contains(t, show(t, `{{template "level" (level "Today" 1000 1000)}}`, nil), `class="level bad"`)
}

func TestBadgesOfStates(t *testing.T) {
	type state string
	require.Equal(t, `<span class="badge ok">Active</span>`, show(t, `{{template "badge" (state .)}}`, state("active")))
	require.Equal(t, `<span class="badge warn">Half open</span>`, show(t, `{{template "badge" (state .)}}`, "half-open"))
	require.Equal(t, `<span class="badge bad">Not known to the gateway</span>`, show(t, `{{template "badge" (state .)}}`, state("lost")))
	require.Equal(t, `<span class="badge quiet">Odd</span>`, show(t, `{{template "badge" (state .)}}`, "odd"))
}
