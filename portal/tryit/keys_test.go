package tryit

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

// secret is the key that is used now.
func (f *fixture) secret(t *testing.T) string {
	t.Helper()
	secret, reaches, err := f.key.Key(t.Context())
	require.NoError(t, err)
	require.Equal(t, f.madeFor, reaches)
	return secret
}

func TestAKeyThatIsRefusedIsMadeAnew(t *testing.T) {
	f := newFixture(t)
	capabilities := Call{Hospital: "harbor", Interaction: Capabilities}
	_, err := f.Do(t.Context(), "user_1", capabilities)
	require.NoError(t, err)
	f.now = f.now.Add(renewAfter)
	f.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer fg_kk" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	answer, err := f.Do(t.Context(), "user_1", capabilities)
	require.NoError(t, err)
	require.Equal(t, 200, answer.Status)
	require.Equal(t, 2, f.made)

	f.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	for range 3 {
		answer, err = f.Do(t.Context(), "user_1", capabilities)
		require.NoError(t, err)
		require.Equal(t, 401, answer.Status)
	}
	require.Equal(t, 2, f.made, "a new key that is refused is not made again and again")
}

func TestOwnKeyIsRenewedBeforeItsEnd(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, "fg_k", f.secret(t))
	f.now = f.now.Add(time.Hour - renewBefore - time.Second)
	require.Equal(t, "fg_k", f.secret(t))
	f.key.Refused("another")
	require.Equal(t, "fg_k", f.secret(t))
	f.now = f.now.Add(time.Second)
	f.failure = errors.New("away")
	_, _, err := f.key.Key(t.Context())
	require.ErrorIs(t, err, f.failure)
	f.failure = nil
	require.Equal(t, "fg_kkk", f.secret(t))
}

// The key is for exactly the simulated hospitals of its plan, whatever happens to
// them.
func TestOwnKeyIsForTheSandboxesOfNow(t *testing.T) {
	f := newFixture(t)
	for _, step := range []struct {
		name   string
		change func()
		want   []string // that the key is for; nil = there is none
		made   int      // how many there were
	}{
		{"at first", func() {}, []string{"anchor", "harbor"}, 1},
		{"nothing changes", func() {}, []string{"anchor", "harbor"}, 1},
		{"they come in another order", func() { f.hospitals[0], f.hospitals[2] = f.hospitals[2], f.hospitals[0] }, []string{"anchor", "harbor"}, 1},
		{"one is real now", func() { f.hospitals[0].Environment = "production" }, []string{"harbor"}, 2},
		{"it is none again", func() { f.hospitals[0].Environment = "sandbox" }, []string{"anchor", "harbor"}, 3},
		{"one is gone", func() { f.hospitals = f.hospitals[1:] }, []string{"harbor"}, 4},
		{"the plan reaches one more", func() { f.plans[1].Hospitals = []string{"beyond", "harbor", "st-mary"} }, []string{"beyond", "harbor"}, 5},
		{"the plan rests", func() { f.plans[1].Active = false }, nil, 5},
		{"it does not any more", func() { f.plans[1].Active = true }, []string{"beyond", "harbor"}, 6},
		{"there is no such plan", func() { f.plans = f.plans[:1] }, nil, 6},
		{"there is no sandbox", func() {
			f.plans, f.hospitals = f.plans[:2], []adminapi.Hospital{{ID: "harbor", Environment: "production"}}
		}, nil, 6},
	} {
		step.change()
		secret, reaches, err := f.key.Key(t.Context())
		require.NoError(t, err, step.name)
		require.Equal(t, step.want, reaches, step.name)
		require.Equal(t, step.made, f.made, step.name)
		require.Equal(t, step.want == nil, secret == "", step.name)
		if step.want != nil {
			require.Equal(t, step.want, f.madeFor, step.name)
		}
	}
}

// What cannot be made leaves no key that reaches more.
func TestNoKeyOfBeforeIsUsed(t *testing.T) {
	f := newFixture(t)
	f.secret(t)
	f.hospitals[0].Environment, f.failure = "production", errors.New("away")
	_, _, err := f.key.Key(t.Context())
	require.ErrorIs(t, err, f.failure)
	f.hospitals[0].Environment, f.failure = "sandbox", nil
	require.Equal(t, "fg_kkk", f.secret(t), "it may be revoked by now")
}

// changing lists hospitals, of which the first is a real one right after that.
type changing struct {
	Keys
	gateway *listed
}

func (c changing) Hospitals(ctx context.Context) ([]adminapi.Hospital, error) {
	hospitals, err := c.Keys.Hospitals(ctx)
	c.gateway.hospitals[0].Environment = "production"
	return hospitals, err
}

func TestAHospitalThatIsRealMeanwhileIsNotCalled(t *testing.T) {
	f := newFixture(t)
	f.o.Keys = changing{f.key, f.listed}
	_, err := f.Do(t.Context(), "user_1", Call{Hospital: "harbor", Interaction: Capabilities})
	var mistake *Mistake
	require.ErrorAs(t, err, &mistake)
	require.NotErrorIs(t, err, ErrAway)
	require.Empty(t, f.asked)
	require.Equal(t, []string{"anchor"}, f.madeFor)
}
