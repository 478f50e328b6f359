package ui

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
)

// tones are the colours that carry a meaning; the text beside them always says
// it too.
var tones = []string{"ok", "warn", "bad", "info", "quiet"}

func checkTone(tone string) error {
	if !slices.Contains(tones, tone) {
		return fmt.Errorf("tone %q: allowed are %s", tone, strings.Join(tones, ", "))
	}
	return nil
}

type badge struct{ Text, Tone string }

func newBadge(text any, tone string) (badge, error) {
	return badge{Text: fmt.Sprint(text), Tone: tone}, checkTone(tone)
}

// stateBadge is the badge of a state of requests, credentials, users,
// invitations and hospitals; a word it does not know is shown quietly.
func stateBadge(state any) badge {
	word := fmt.Sprint(state)
	tone := map[string]string{
		"active": "ok", "approved": "ok", "reachable": "ok", "closed": "ok", "accepted": "ok", "healthy": "ok",
		"pending": "warn", "revoking": "warn", "half-open": "warn", "expiring": "warn", "unknown": "warn",
		"refused": "bad", "failed": "bad", "lost": "bad", "unreachable": "bad", "open": "bad", "expired": "bad",
		"creating": "info", "rotating": "info", "invited": "info",
	}[word]
	if tone == "" {
		tone = "quiet"
	}
	if word == "lost" {
		return badge{Text: "Not known to the gateway", Tone: tone}
	}
	if word != "" {
		word = strings.ToUpper(word[:1]) + word[1:]
	}
	return badge{Text: strings.ReplaceAll(word, "-", " "), Tone: tone}
}

type callout struct{ Tone, Title, Text, Href, Label string }

// Icon is the name of the icon that goes with the tone.
func (c callout) Icon() string {
	switch c.Tone {
	case "ok":
		return "check"
	case "warn", "bad":
		return "warning"
	default:
		return "info"
	}
}

func newCallout(tone, title, text string, link ...string) (callout, error) {
	made := callout{Tone: tone, Title: title, Text: text}
	if len(link) == 2 {
		made.Href, made.Label = link[0], link[1]
	}
	return made, checkTone(tone)
}

type empty struct{ Title, Text, Href, Label, Art string }

// newEmpty takes up to three more texts: where the button leads, its label,
// and the name of the picture.
func newEmpty(title, text string, more ...string) empty {
	made := empty{Title: title, Text: text, Art: "apps"}
	for i, target := range []*string{&made.Href, &made.Label, &made.Art} {
		if i < len(more) {
			*target = more[i]
		}
	}
	return made
}

type stat struct {
	Label, Value, Help, Href, Tone string
}

func newStat(label string, value any, options ...string) (stat, error) {
	made := stat{Label: label, Value: number(value), Tone: "quiet"}
	for _, option := range options {
		if href, ok := strings.CutPrefix(option, "href="); ok {
			made.Href = href
		} else if tone, ok := strings.CutPrefix(option, "tone="); ok {
			made.Tone = tone
		} else {
			made.Help = option
		}
	}
	return made, checkTone(made.Tone)
}

type secret struct{ ID, Label, Value, Help string }

// newSecret is for what a program uses, unless help says what else to do with it.
func newSecret(label string, value any, help ...string) secret {
	if len(help) == 0 {
		help = []string{"Keep it where your program reads its secrets; if it is lost, make a new one."}
	}
	return secret{ID: elementID("secret", label), Label: label, Value: fmt.Sprint(value), Help: strings.Join(help, " ")}
}

type code struct{ Language, Text, Label string }

func newCode(language string, text any, label ...string) code {
	made := code{Language: language, Text: strings.TrimRight(fmt.Sprint(text), "\n"), Label: "Code: " + language}
	if len(label) > 0 {
		made.Label = label[0]
	}
	return made
}

// confirm is a button that opens a dialog whose form posts to Action.
type confirm struct {
	ID, Button, Question, Text, Action string
	Danger, Small, Quiet               bool
	Fields, Hidden                     []confirmField
}

type confirmField struct {
	ID, Name, Label, Value string
	Required               bool
}

func newConfirm(button, question, text, action string, options ...string) (confirm, error) {
	made := confirm{ID: elementID("confirm", action+" "+button), Button: button, Question: question, Text: text, Action: action}
	flags := map[string]*bool{"danger": &made.Danger, "small": &made.Small, "quiet": &made.Quiet}
	for _, option := range options {
		name, value, valued := strings.Cut(option, "=")
		if !valued {
			if flags[name] == nil {
				return confirm{}, fmt.Errorf("confirm: unknown option %q", name)
			}
			*flags[name] = true
			continue
		}
		if hidden, ok := strings.CutPrefix(name, "hidden:"); ok {
			made.Hidden = append(made.Hidden, confirmField{Name: hidden, Value: value})
			continue
		}
		name, optional := strings.CutSuffix(name, "?")
		made.Fields = append(made.Fields, confirmField{ID: made.ID + "-" + name, Name: name, Label: value, Required: !optional})
	}
	return made, nil
}

// elementID is an id that is the same for the same name on every rendering.
func elementID(kind, name string) string {
	sum := fnv.New32a()
	sum.Write([]byte(name))
	return fmt.Sprintf("%s-%08x", kind, sum.Sum32())
}

// pager is a list's pages. List is read by the template: it has Total,
// Page.Number and Page.Size.
type pager struct {
	List  any
	Query url.Values
}

func newPager(list any, query ...url.Values) pager {
	made := pager{List: list}
	if len(query) > 0 {
		made.Query = query[0]
	}
	return made
}

// pagerSteps are the figures and links of a pager; a link is empty where there
// is no page.
type pagerSteps struct {
	First, Last, Total, Number, Pages int
	Previous, Next                    string
}

func newPagerSteps(total, number, size int, query url.Values) pagerSteps {
	number, size = max(number, 1), max(size, 1)
	steps := pagerSteps{Total: total, Number: number, Pages: (total + size - 1) / size}
	steps.First, steps.Last = (number-1)*size+1, min(number*size, total)
	if number > 1 {
		steps.Previous = withQuery(query, "page", number-1)
	}
	if number < steps.Pages {
		steps.Next = withQuery(query, "page", number+1)
	}
	return steps
}
