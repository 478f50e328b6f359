package console

import (
	"context"
	"errors"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/web/page"
)

// patience is how long a page that is about more than the gateway waits for it.
const patience = 3 * time.Second

// hurried returns the context of questions to the gateway that a page can do
// without.
func hurried(r *page.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), patience)
}

// absenceOf says for people why questions to the gateway found no answer; "" =
// they did. A refusal says itself what is wrong.
func absenceOf(errs ...error) string {
	err := errors.Join(errs...)
	var refusal *adminapi.Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return "It answered: " + refusal.Text
	case errors.Is(err, adminapi.ErrUnreachable):
		return "It does not answer the portal just now. Calls of consumers may be served all the same; what only the gateway knows is missing here."
	default:
		return "Its answer could not be understood. Gateway and portal should be of the same version."
	}
}

// hospitalNames returns the names of all hospitals by id. Without the gateway it
// is empty, and ids stand for themselves.
func (p *Pages) hospitalNames(ctx context.Context) (map[string]string, error) {
	hospitals, err := p.gateway.Hospitals(ctx)
	names := make(map[string]string, len(hospitals))
	for _, h := range hospitals {
		names[h.ID] = h.Name
	}
	return names, err
}

// planByID returns a plan of the gateway, or nil when there is none of this id.
func (p *Pages) planByID(ctx context.Context, id string) (*adminapi.Plan, error) {
	plans, err := p.gateway.Plans(ctx)
	for i := range plans {
		if plans[i].ID == id {
			return &plans[i], nil
		}
	}
	return nil, err
}
