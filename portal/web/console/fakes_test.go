package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/identity"
	"fhirgate/portal/store"
)

// fakeGateway answers what it was told to, or nothing at all.
type fakeGateway struct {
	away      bool
	plans     []adminapi.Plan
	hospitals []adminapi.Hospital
	problems  []string
	check     adminapi.Check
	reloads   int
	errors    []adminapi.CallError
	keys      map[string]*record.Key
}

func newFakeGateway() *fakeGateway {
	now := time.Now()
	return &fakeGateway{
		plans: []adminapi.Plan{{
			ID: "trial", Name: "Trial plan", Active: true, Environments: []string{"sandbox"}, Hospitals: []string{"north", "south"},
			Scopes: []string{"system/Patient.rs", "fhirgate/raw"}, Rate: 60, Per: adminapi.Duration(time.Minute), Burst: 20,
			Quota: 10000, QuotaPeriod: adminapi.Duration(30 * 24 * time.Hour), Purpose: true,
		}},
		hospitals: []adminapi.Hospital{
			{
				ID: "north", Name: "North <General>", Vendor: "oracle", Environment: "sandbox", TimeZone: "Europe/Berlin",
				Interactions: map[string][]string{"Patient": {"read", "search-type"}, "system": {"batch"}},
				Operations:   map[string][]string{"Patient": {"everything"}}, VendorRules: 12, OwnRules: 1,
				Breaker: "closed", LastAnswer: now.Add(-time.Minute), Auth: "smart-backend",
				Token:  &adminapi.Token{Obtained: now.Add(-2 * time.Minute), Expires: now.Add(3 * time.Minute)},
				Budget: &adminapi.Budget{Requests: 250, Per: adminapi.Duration(time.Minute), Left: 50, Concurrency: 8},
				Certificates: []adminapi.Certificate{
					{Role: "server", Subject: "CN=north.example", NotAfter: now.Add(5 * 24 * time.Hour)},
					{Role: "client", Subject: "CN=gate", NotAfter: now.Add(20 * 24 * time.Hour)},
				},
				KeyRing: &adminapi.RingState{Name: "pacs", KeyID: "kid-1", Expires: now.Add(90 * 24 * time.Hour)},
			},
			{
				ID: "south", Name: "South", Environment: "sandbox", TimeZone: "UTC", Breaker: "open",
				LastAnswer: now.Add(-time.Hour), LastFailure: now.Add(-time.Minute), FailureIssue: "timeout",
			},
			{ID: "west", Name: "West", Environment: "production", TimeZone: "UTC", Breaker: "closed"},
		},
		check: adminapi.Check{Reachable: true, Status: 200, Took: adminapi.Duration(120 * time.Millisecond)},
		errors: []adminapi.CallError{
			{At: now, RequestID: "REQ-1", Consumer: "key_1", Hospital: "north", Interaction: "read", Type: "Patient", Status: 404},
			{At: now, RequestID: "REQ-2", Hospital: "south", Interaction: "read", Type: "Patient", Status: 503, Issue: "transient"},
		},
		keys: map[string]*record.Key{},
	}
}

// answered returns the error of a call while the gateway is away.
func (g *fakeGateway) answered() error {
	if g.away {
		return fmt.Errorf("%w at http://gateway", adminapi.ErrUnreachable)
	}
	return nil
}

var errNoSuch = &adminapi.Refusal{Status: http.StatusNotFound, Text: "there is no such record"}

func (g *fakeGateway) Plans(context.Context) ([]adminapi.Plan, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.plans, nil
}

func (g *fakeGateway) Hospitals(context.Context) ([]adminapi.Hospital, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.hospitals, nil
}

func (g *fakeGateway) Hospital(_ context.Context, id string) (*adminapi.Hospital, error) {
	if g.away {
		return nil, g.answered()
	}
	for _, h := range g.hospitals {
		if h.ID == id {
			return &h, nil
		}
	}
	return nil, errNoSuch
}

func (g *fakeGateway) CheckHospital(ctx context.Context, id string) (*adminapi.Check, error) {
	if _, err := g.Hospital(ctx, id); err != nil {
		return nil, err
	}
	return &g.check, nil
}

func (g *fakeGateway) HospitalErrors(context.Context, string) ([]adminapi.CallError, error) {
	return g.errors, g.answered()
}

func (g *fakeGateway) Show(_ context.Context, id string) (*record.Key, error) {
	if g.away {
		return nil, g.answered()
	}
	if g.keys[id] == nil {
		return nil, errNoSuch
	}
	return g.keys[id], nil
}

func (g *fakeGateway) KeyLimits(ctx context.Context, id string) (*adminapi.Limits, error) {
	if _, err := g.Show(ctx, id); err != nil {
		return nil, err
	}
	return &adminapi.Limits{Plan: "trial", Burst: 20, BurstLeft: 19, Quota: 10000, QuotaLeft: 7500}, nil
}

func (g *fakeGateway) KeyErrors(context.Context, string) ([]adminapi.CallError, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.errors, nil
}

func (g *fakeGateway) LastReload(context.Context) (*adminapi.Reloading, error) {
	if g.away {
		return nil, g.answered()
	}
	return &adminapi.Reloading{At: time.Now(), Taken: len(g.problems) == 0, Problems: g.problems, Hospitals: 3, Plans: 1}, nil
}

func (g *fakeGateway) Reload(context.Context) (*adminapi.Loaded, error) {
	g.reloads++
	if g.away {
		return nil, g.answered()
	}
	if len(g.problems) > 0 {
		return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: strings.Join(g.problems, "\n")}
	}
	return &adminapi.Loaded{Hospitals: 3, Plans: 1}, nil
}

// fakeCredentials does what happens in SQL, and minds whether the gateway is there.
type fakeCredentials struct {
	store   *store.Store
	gateway *fakeGateway
}

func (c fakeCredentials) Revoke(ctx context.Context, by store.By, id, reason string) error {
	if err := c.store.BeginRevocation(ctx, by, id, reason); err != nil {
		return err
	}
	if err := c.gateway.answered(); err != nil {
		return err
	}
	_, err := c.store.FinishRevocation(ctx, id)
	return err
}

func (c fakeCredentials) EndAccess(ctx context.Context, by store.By, id, reason string) error {
	if err := c.store.EndAccess(ctx, by, id, reason); err != nil {
		return err
	}
	return c.gateway.answered()
}

// fakeInviter invites by a link, which it mails when told so.
type fakeInviter struct {
	mails   bool
	refusal error
	asked   []store.Invitation
	toTeams int // how many of them by InviteToTeam
}

func (i *fakeInviter) Invite(_ context.Context, _ store.By, invitation store.Invitation) (string, bool, error) {
	i.asked = append(i.asked, invitation)
	switch {
	case i.refusal != nil:
		return "", false, i.refusal
	case i.mails:
		return "", true, nil
	default:
		return "https://portal.example/invitation/token-of-it", false, nil
	}
}

func (i *fakeInviter) InviteToTeam(ctx context.Context, by store.By, invitation store.Invitation) (string, bool, error) {
	i.toTeams++
	return i.Invite(ctx, by, invitation)
}

func (i *fakeInviter) ResetLink(_ context.Context, _ store.By, user store.User) (string, bool, error) {
	switch {
	case user.Role == store.RoleAdmin:
		return "", false, identity.ErrNoReset
	case i.refusal != nil:
		return "", false, i.refusal
	case i.mails:
		return "", true, nil
	default:
		return "https://portal.example/reset-password?token=of-" + user.ID, false, nil
	}
}
