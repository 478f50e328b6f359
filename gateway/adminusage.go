package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/limiter"
	"fhirgate/observe/usage"
	"fhirgate/policies"
)

// usageDrain is how long the usage of consumers may take to be written at a stop.
const usageDrain = 5 * time.Second

// limits count calls against plans, and tell what is left of them.
type limits interface {
	facade.Limiter
	Peek(ctx context.Context, consumer string, plan *policies.Plan) (limiter.Left, error)
}

func (s *server) openLimits() {
	s.limits = limiter.NewRedis(s.store.Client())
	if s.store.Embedded() {
		s.limits = limiter.NewEmbedded(s.store)
	}
}

// openUsage opens what counts the usage of consumers. At a stop everything that
// was counted is written.
func (s *server) openUsage() *usage.Recorder {
	recorder := usage.NewRecorder(s.store.Client(), s.log)
	s.closes(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), usageDrain)
		defer cancel()
		return recorder.Close(ctx)
	})
	return recorder
}

func (a *admin) usageSince(r *http.Request) (int, any, error) {
	used, err := a.usage.Since(r.Context(), r.URL.Query().Get("since"))
	if errors.Is(err, usage.ErrCursor) {
		return 0, nil, fhir.NewError(http.StatusBadRequest, fhir.IssueValue, err.Error())
	}
	return http.StatusOK, used, err
}

func (a *admin) keyErrors(r *http.Request) (int, any, error) {
	key, err := a.keeper.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	failed, err := a.usage.ConsumerErrors(r.Context(), key.ID)
	return http.StatusOK, failed, err
}

func (a *admin) hospitalErrors(r *http.Request) (int, any, error) {
	h, err := a.hospital(r)
	if err != nil {
		return 0, nil, err
	}
	failed, err := a.usage.HospitalErrors(r.Context(), h.Route.ID)
	return http.StatusOK, failed, err
}

func (a *admin) keyLimits(r *http.Request) (int, any, error) {
	key, err := a.keeper.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	plan := a.snapshot().Plans[key.Plan]
	if plan == nil {
		return 0, nil, fhir.NewError(http.StatusConflict, fhir.IssueConflict, "the key's plan does not exist any more")
	}
	left, err := a.limits.Peek(r.Context(), key.ID, plan)
	if err != nil {
		return 0, nil, err
	}
	shown := adminapi.Limits{Plan: plan.ID, BurstLeft: int(left.Burst), Quota: plan.Quota, QuotaLeft: left.Quota}
	if plan.Rate > 0 {
		shown.Burst = plan.Burst
	}
	if left.Resets > 0 {
		shown.QuotaResets = time.Now().Add(left.Resets).UTC().Truncate(time.Second)
	}
	return http.StatusOK, shown, nil
}
