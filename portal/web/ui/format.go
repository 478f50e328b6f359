package ui

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// number writes whole numbers with commas between thousands; other values as
// fmt does.
func number(value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.CanInt():
		digits := strconv.FormatInt(v.Int(), 10)
		if rest, negative := strings.CutPrefix(digits, "-"); negative {
			return "-" + commas(rest)
		}
		return commas(digits)
	case v.CanUint():
		return commas(strconv.FormatUint(v.Uint(), 10))
	default:
		return fmt.Sprint(value)
	}
}

func commas(digits string) string {
	var made strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			made.WriteByte(',')
		}
		made.WriteRune(digit)
	}
	return made.String()
}

// plural is "1 call" or "12,345 calls".
func plural(count any, one, many string) string {
	text := number(count)
	if text == "1" {
		return text + " " + one
	}
	return text + " " + many
}

// percent is how many hundredths of whole part is, between 0 and 100.
func percent(part, whole any) (int, error) {
	p, err := float(part)
	if err != nil {
		return 0, err
	}
	w, err := float(whole)
	if err != nil {
		return 0, err
	}
	if w <= 0 || p <= 0 {
		return 0, nil
	}
	if p >= w {
		return 100, nil
	}
	// Something is never shown as nothing, nor nearly all as all.
	return int(math.Min(99, math.Max(1, math.Round(100*p/w)))), nil
}

func float(value any) (float64, error) {
	v := reflect.ValueOf(value)
	switch {
	case v.CanInt():
		return float64(v.Int()), nil
	case v.CanUint():
		return float64(v.Uint()), nil
	case v.CanFloat():
		return v.Float(), nil
	default:
		return 0, fmt.Errorf("%T is no number", value)
	}
}

// duration writes d in its one or two largest units: "2 days 3 hours".
func duration(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	units := []struct {
		size      time.Duration
		one, many string
	}{
		{24 * time.Hour, "day", "days"},
		{time.Hour, "hour", "hours"},
		{time.Minute, "minute", "minutes"},
		{time.Second, "second", "seconds"},
	}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		text := plural(int64(d/unit.size), unit.one, unit.many)
		if i+1 < len(units) {
			if rest := d % unit.size / units[i+1].size; rest > 0 {
				text += " " + plural(int64(rest), units[i+1].one, units[i+1].many)
			}
		}
		return text
	}
	return ""
}

// relative tells how far t is from now: "3 hours ago", "in 12 days".
func relative(t time.Time) string { return relativeTo(t, time.Now()) }

func relativeTo(t, now time.Time) string {
	distance := t.Sub(now)
	future := distance > 0
	distance = distance.Abs()
	if distance < time.Minute {
		return "just now"
	}
	units := []struct {
		from, size time.Duration
		one, many  string
	}{
		{730 * 24 * time.Hour, 365 * 24 * time.Hour, "year", "years"},
		{60 * 24 * time.Hour, 30 * 24 * time.Hour, "month", "months"},
		{48 * time.Hour, 24 * time.Hour, "day", "days"},
		{time.Hour, time.Hour, "hour", "hours"},
		{time.Minute, time.Minute, "minute", "minutes"},
	}
	for _, unit := range units {
		if distance < unit.from {
			continue
		}
		text := plural(int64(distance/unit.size), unit.one, unit.many)
		if future {
			return "in " + text
		}
		return text + " ago"
	}
	return ""
}

// day writes a day in ISO form, "2026-11-22", as "22 Nov 2026"; what is no
// such day is written as it is.
func day(value any) string {
	text := fmt.Sprint(value)
	parsed, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return parsed.Format("2 Jan 2006")
}

// join writes the items of a list with separator between them.
func join(items any, separator string) (string, error) {
	v := reflect.ValueOf(items)
	if !v.IsValid() {
		return "", nil
	}
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return "", fmt.Errorf("join: %T is no list", items)
	}
	texts := make([]string, v.Len())
	for i := range texts {
		texts[i] = fmt.Sprint(v.Index(i).Interface())
	}
	return strings.Join(texts, separator), nil
}
