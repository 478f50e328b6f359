package developer

import "fhirgate/portal/web/page"

const csvEnding = ".csv"

func (p *Pages) appUsageFile(r *page.Request, app ownApp) error {
	return p.sendUsage(r, &app)
}

func (p *Pages) usageFile(r *page.Request) error {
	return p.sendUsage(r, nil)
}

func (p *Pages) sendUsage(r *page.Request, app *ownApp) error {
	counted, err := p.usageOf(r, app)
	if err != nil {
		return err
	}
	return r.SendUsage("usage-"+string(p.day(0))+csvEnding, counted.Usage)
}
