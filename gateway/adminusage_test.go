package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
	"fhirgate/gateway/limiter"
	"fhirgate/observe"
	"fhirgate/observe/usage"
	"fhirgate/policies"
	"fhirgate/routes"
)

// usageBench is an admin API with a key of each plan.
type usageBench struct {
	*adminBench
	client   *adminapi.Client
	redis    redis.UniversalClient
	recorder *usage.Recorder
	limits   limits
	plans    map[string]*policies.Plan
}

func newUsageBench(t *testing.T) *usageBench {
	b := &usageBench{adminBench: &adminBench{store: miniredis.RunT(t)}}
	b.redis = redis.NewClient(&redis.Options{Addr: b.store.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = b.redis.Close() })
	b.recorder = usage.NewRecorder(b.redis, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = b.recorder.Close(context.Background()) })
	b.limits = limiter.NewRedis(b.redis)
	b.plans = map[string]*policies.Plan{
		"trial": {ID: "trial", Active: true, Rate: 1, Per: time.Hour, Burst: 5, Quota: 100, QuotaPeriod: 24 * time.Hour},
		"free":  {ID: "free", Active: true},
	}
	snapshot := &facade.Snapshot{
		Plans:     b.plans,
		Hospitals: map[string]*facade.Hospital{"harbor": {Route: &routes.Route{ID: "harbor"}}},
	}
	api := &admin{
		secret: adminTestSecret, keeper: keys.NewKeeper(noTyk{}, b.redis), metrics: http.NotFoundHandler(),
		snapshot: func() *facade.Snapshot { return snapshot },
		usage:    usage.NewReader(b.redis), limits: b.limits,
	}
	b.server = httptest.NewServer(api.handler())
	t.Cleanup(b.server.Close)
	b.client = adminapi.NewClient(b.server.URL, adminTestSecret)
	return b
}

func (b *usageBench) key(t *testing.T, plan string) string {
	t.Helper()
	made, err := b.client.Create(t.Context(), adminapi.NewKey{Name: "viewer", Plan: plan})
	require.NoError(t, err)
	return made.ID
}

func TestUsageByTheAdminAPI(t *testing.T) {
	b := newUsageBench(t)
	ctx := t.Context()
	used, err := b.client.Usage(ctx, "")
	require.NoError(t, err)
	require.Equal(t, &adminapi.Used{Rows: []adminapi.Usage{}}, used)

	id := b.key(t, "trial")
	began := time.Now().UTC()
	for range 3 {
		b.recorder.Record(&observe.Call{RequestID: "r-1", Consumer: id, Hospital: "harbor", Interaction: "read", Type: "Patient", Status: 404, Issue: "not-found", Cause: "secret"})
	}
	require.NoError(t, b.recorder.Close(ctx))
	used, err = b.client.Usage(ctx, "")
	require.NoError(t, err)
	require.Len(t, used.Rows, 1)
	require.Contains(t, []string{began.Format(time.DateOnly), time.Now().UTC().Format(time.DateOnly)}, used.Rows[0].Day)
	require.Equal(t, []adminapi.Usage{{Consumer: id, Day: used.Rows[0].Day, Hospital: "harbor", Interaction: "read", Status: 404, Calls: 3}}, used.Rows)
	require.False(t, used.More)
	again, err := b.client.Usage(ctx, used.Next)
	require.NoError(t, err)
	require.Equal(t, &adminapi.Used{Rows: []adminapi.Usage{}, Next: used.Next}, again)

	byKey, err := b.client.KeyErrors(ctx, id)
	require.NoError(t, err)
	byHospital, err := b.client.HospitalErrors(ctx, "harbor")
	require.NoError(t, err)
	require.Equal(t, byKey, byHospital)
	require.NotEmpty(t, byKey)
	require.WithinDuration(t, began, byKey[0].At, time.Minute)
	byKey[0].At = time.Time{}
	require.Equal(t, adminapi.CallError{RequestID: "r-1", Consumer: id, Hospital: "harbor", Interaction: "read", Type: "Patient", Status: 404, Issue: "not-found"}, byKey[0])
}

func TestLimitsByTheAdminAPI(t *testing.T) {
	b := newUsageBench(t)
	ctx := t.Context()
	id := b.key(t, "trial")
	left, err := b.client.KeyLimits(ctx, id)
	require.NoError(t, err)
	require.Equal(t, &adminapi.Limits{Plan: "trial", Burst: 5, BurstLeft: 5, Quota: 100, QuotaLeft: 100}, left)
	for range 2 {
		_, err = b.limits.Take(ctx, id, b.plans["trial"], 2)
		require.NoError(t, err)
		_, err = b.client.KeyLimits(ctx, id)
		require.NoError(t, err, "asking counts nothing")
	}
	left, err = b.client.KeyLimits(ctx, id)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), left.QuotaResets, time.Minute)
	left.QuotaResets = time.Time{}
	require.Equal(t, &adminapi.Limits{Plan: "trial", Burst: 5, BurstLeft: 1, Quota: 100, QuotaLeft: 96}, left)

	left, err = b.client.KeyLimits(ctx, b.key(t, "free"))
	require.NoError(t, err)
	require.Equal(t, &adminapi.Limits{Plan: "free"}, left)
}

func TestUsageRefusals(t *testing.T) {
	b := newUsageBench(t)
	gone := b.key(t, "trial")
	delete(b.plans, "trial")
	paths := map[string]int{
		"/admin/usage?since=yesterday":        400,
		"/admin/keys/key_none/errors":         404,
		"/admin/keys/key_none/limits":         404,
		"/admin/hospitals/nowhere/errors":     404,
		"/admin/keys/" + gone + "/limits":     409,
		"/admin/keys/" + gone + "/errors":     200,
		"/admin/hospitals/harbor/errors":      200,
		"/admin/usage?since=2026-11-22_17638": 200,
	}
	for path, status := range paths {
		got, text := b.call(t, "GET", path, "")
		require.Equal(t, status, got, "%s: %s", path, text)
		got, _ = b.call(t, "GET", path, "", "Bearer wrong")
		require.Equal(t, 401, got, path)
	}
	b.store.SetError("store is away")
	for _, path := range []string{"/admin/usage", "/admin/keys/" + gone + "/errors", "/admin/keys/" + gone + "/limits", "/admin/hospitals/harbor/errors"} {
		got, _ := b.call(t, "GET", path, "")
		require.Equal(t, 503, got, path)
	}
	require.Error(t, func() error {
		b.recorder.Record(&observe.Call{Consumer: gone, Status: 200})
		return b.recorder.Close(t.Context())
	}(), "what is not written is told")
}
