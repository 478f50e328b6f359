package ui

import (
	"fmt"
	"html/template"
	"net/url"
)

// functions are what templates can call; doc.go lists them for their writers.
func functions() template.FuncMap {
	return template.FuncMap{
		"field": newField, "choice": newChoice,
		"badge": newBadge, "state": stateBadge, "callout": newCallout, "empty": newEmpty, "stat": newStat,
		"secret": newSecret, "code": newCode, "confirm": newConfirm, "pager": newPager, "steps": newPagerSteps,
		"chart": newChart, "bars": newBars, "level": newLevel,
		"icon": icon, "art": art, "asset": assetURL,
		"number": number, "plural": plural, "percent": percent, "duration": duration, "relative": relative, "day": day,
		"join": join, "dict": dict, "list": list, "query": withQuery,
	}
}

// dict makes a map of keys and values in turn, so that a template can hand
// several values to another one.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments, want pairs", len(pairs))
	}
	made := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %d is no string", i/2)
		}
		made[key] = pairs[i+1]
	}
	return made, nil
}

func list(values ...any) []any { return values }

// withQuery is the query string, with its "?", that has name set to value
// and everything else of values; an empty value takes the name away.
func withQuery(values url.Values, name string, value any) string {
	changed := url.Values{}
	for key, all := range values {
		changed[key] = all
	}
	if text := fmt.Sprint(value); text == "" {
		changed.Del(name)
	} else {
		changed.Set(name, text)
	}
	return "?" + changed.Encode()
}
