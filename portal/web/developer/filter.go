package developer

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// ranges are how many days back usage can be looked at.
var ranges = []int{7, 30, 90, 365}

const usualRange = 30

// maxOffered is how many credentials there are to choose from at most; what works
// comes first.
const maxOffered = 100

// filterOf returns what of an address is the filter, without what is empty.
func filterOf(query url.Values) url.Values {
	filter := url.Values{}
	for _, name := range []string{"days", "app", "credential", "hospital"} {
		if value := query.Get(name); value != "" {
			filter.Set(name, value)
		}
	}
	return filter
}

// offer fills in what can be chosen.
func (d *usageData) offer(all []ownCredential) {
	d.Days = usualRange
	if days, err := strconv.Atoi(d.Query.Get("days")); err == nil && slices.Contains(ranges, days) {
		d.Days = days
	}
	d.Form = &page.Form{Values: url.Values{
		"days": {strconv.Itoa(d.Days)}, "app": d.Query["app"], "credential": d.Query["credential"], "hospital": d.Query["hospital"],
	}}
	for _, days := range ranges {
		d.Ranges = append(d.Ranges, ui.Option{Value: strconv.Itoa(days), Label: "Last " + strconv.Itoa(days) + " days"})
	}
	apps, hospitals := map[string]string{}, map[string]string{}
	for i, c := range all {
		apps[c.AppID] = c.AppName
		for _, id := range c.Hospitals {
			hospitals[id] = id
		}
		if i < maxOffered || c.ID == d.Query.Get("credential") {
			d.Credentials = append(d.Credentials, ui.Option{Value: c.ID, Label: d.labelOf(c)})
		}
	}
	d.Hospitals = optionsOf(hospitals)
	if d.App == nil {
		d.Apps = optionsOf(apps)
	}
}

// labelOf names a credential among those that can be chosen.
func (d *usageData) labelOf(c ownCredential) string {
	label := c.Name
	if d.App == nil {
		label = c.AppName + ": " + c.Name
	}
	if hint := c.Hint(); hint != "" {
		label += " (" + hint + ")"
	}
	return label
}

// optionsOf makes options of labels by value, in the order of the labels.
func optionsOf(labels map[string]string) []ui.Option {
	var options []ui.Option
	for value, label := range labels {
		options = append(options, ui.Option{Value: value, Label: label})
	}
	slices.SortFunc(options, func(a, b ui.Option) int {
		return cmp.Or(strings.Compare(a.Label, b.Label), strings.Compare(a.Value, b.Value))
	})
	return options
}

// choose returns the credentials that the filter names. Those of others are not
// found.
func (d *usageData) choose(all []ownCredential) ([]ownCredential, error) {
	chosen := all
	for _, by := range []struct {
		name string
		of   func(ownCredential) string
	}{
		{"app", func(c ownCredential) string { return c.AppID }},
		{"credential", func(c ownCredential) string { return c.ID }},
	} {
		wanted := d.Query.Get(by.name)
		if wanted == "" {
			continue
		}
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(c ownCredential) bool { return by.of(c) != wanted })
		if len(chosen) == 0 && !slices.ContainsFunc(all, func(c ownCredential) bool { return by.of(c) == wanted }) {
			return nil, page.NotFound()
		}
	}
	return chosen, nil
}
