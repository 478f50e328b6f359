package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/web/scope"
)

// planWords says in sentences what a plan allows.
type planWords struct {
	Rate   string
	Quota  string
	Rights []string // one a kind of record
	Wants  []string // what every call must name
	Where  string   // environments and hospitals
}

func wordsOf(p adminapi.Plan) planWords {
	w := planWords{Rate: "No limit of rate.", Quota: "No quota."}
	if p.Rate > 0 {
		w.Rate = fmt.Sprintf("%s units per %s", grouped(int64(p.Rate)), period(p.Per))
		if p.Burst > 0 {
			w.Rate += fmt.Sprintf(", at most %s at once", grouped(int64(p.Burst)))
		}
		w.Rate += "."
	}
	if p.Quota > 0 {
		w.Quota = fmt.Sprintf("%s units in all, counted anew every %s.", grouped(p.Quota), period(p.QuotaPeriod))
	}
	for _, scope := range p.Scopes {
		w.Rights = append(w.Rights, scopeWords(scope))
	}
	if p.OnBehalfOf {
		w.Wants = append(w.Wants, "the person for whom it is made")
	}
	if p.Purpose {
		w.Wants = append(w.Wants, "its purpose")
	}
	w.Where = fmt.Sprintf("%s of %s", hospitalCount(len(p.Hospitals)), cmp.Or(strings.Join(p.Environments, " and "), "no environment"))
	return w
}

func hospitalCount(n int) string {
	switch n {
	case 0:
		return "No hospital"
	case 1:
		return "1 hospital"
	default:
		return strconv.Itoa(n) + " hospitals"
	}
}

// scopeWords says what a SMART scope such as system/Patient.rs permits. A scope
// that it does not know is shown as it is.
func scopeWords(text string) string {
	if text == "fhirgate/raw" {
		return "Answers as the hospital gives them, without the vendor's rules"
	}
	read, known := scope.Read(text)
	if !known {
		return text
	}
	words := read.Type + ": " + enumerate(read.Actions)
	if read.Type == "*" {
		words = "Whatever a hospital's file lists: " + enumerate(read.Actions)
	}
	if read.Where != "" {
		words += ", where " + read.Where
	}
	return words
}

// enumerate joins words: a, b and c.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// period says a length of time after "per" or "every".
func period(d adminapi.Duration) string {
	length := time.Duration(d)
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch {
		case length == unit.size:
			return unit.name
		case length > unit.size && length%unit.size == 0:
			return fmt.Sprintf("%d %ss", length/unit.size, unit.name)
		}
	}
	return length.String()
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// named is a hospital, or something else that has an id and a name.
type named struct{ ID, Name string }

// namesOf returns ids with their names, by name. An id without a name stands for
// itself.
func namesOf(ids []string, names map[string]string) []named {
	list := make([]named, len(ids))
	for i, id := range ids {
		list[i] = named{ID: id, Name: cmp.Or(names[id], id)}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}
