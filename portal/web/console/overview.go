package console

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/trail"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// What the overview shows of longer lists, how far it looks ahead, and how many
// ends the store tells of at most.
const (
	glance     = 5
	endingSoon = 30 * 24 * time.Hour
	mostEnding = 50
)

func (p *Pages) overview(r *page.Request) error {
	ctx := r.Context()
	pending, err := p.store.Requests(ctx, store.RequestFilter{State: store.RequestPending}, store.Page{Size: glance})
	if err != nil {
		return err
	}
	ending, err := p.store.Expiring(ctx, "", endingSoon)
	if err != nil {
		return err
	}
	used, err := p.store.Usage(ctx, p.lastDays(usualDays))
	if err != nil {
		return err
	}
	acts, err := p.store.Acts(ctx, store.ActFilter{}, store.Page{Size: 2 * glance})
	if err != nil {
		return err
	}
	hurry, cancel := hurried(r)
	defer cancel()
	hospitals, away := p.gateway.Hospitals(hurry)
	reload, unheard := p.gateway.LastReload(hurry)
	return r.Render(http.StatusOK, "console-overview", struct {
		Pending     store.List[store.AccessRequest]
		Ending      []store.Credential // the first of them
		EndingCount string             // "" = none
		TodayFailed int64
		TodayCalls  int64
		Usage       store.Usage
		Failed      int64
		Chart       ui.Chart
		Acts        []shownAct
		Hospitals   int
		InTrouble   []hospitalState
		Reload      *adminapi.Reloading // nil = the gateway is away
		Away        string
		Viewer      string        // id of whoever looks: their own requests are not theirs to decide
		Broken      *trail.Report // nil = the trail is not known to be broken
	}{
		Pending: pending, Ending: ending[:min(len(ending), glance)], EndingCount: endingCount(len(ending)),
		TodayFailed: errorsOf(lastOf(used.Days)), TodayCalls: callsOn(lastOf(used.Days)),
		Usage: used, Failed: errorsOf(used.Sum()), Chart: page.CallsChart(used), Acts: actsShown(acts.Items),
		Hospitals: len(hospitals), InTrouble: inTrouble(hospitals, p.now()), Reload: reload, Away: absenceOf(away, unheard),
		Viewer: r.User.ID, Broken: p.trail.Broken(),
	})
}

// endingCount says how many keys end soon, as far as that is known.
func endingCount(n int) string {
	switch {
	case n == 0:
		return ""
	case n >= mostEnding:
		return fmt.Sprintf("%d or more", n)
	default:
		return strconv.Itoa(n)
	}
}

// lastOf returns the last day of a range, which is today.
func lastOf(days []store.DayCount) store.DayCount {
	if len(days) == 0 {
		return store.DayCount{}
	}
	return days[len(days)-1]
}

func callsOn(day store.DayCount) int64 { return day.OK + day.ClientErrors + day.ServerErrors }
