package store

import (
	"context"
	"errors"
	"strings"
	"time"
)

// RequestState is how far a request for access has come.
type RequestState string

// The states of requests.
const (
	RequestPending   RequestState = "pending"
	RequestApproved  RequestState = "approved"
	RequestRefused   RequestState = "refused"
	RequestWithdrawn RequestState = "withdrawn"
	RequestEnded     RequestState = "ended" // was approved
)

// AccessRequest asks that an app may use hospitals under a plan.
type AccessRequest struct {
	ID              string
	AppID           string
	AppName         string
	TeamID          string
	TeamName        string
	Plan            string
	Hospitals       []string // at least one
	Purpose         string
	RequestedBy     string // id of a user
	RequestedByName string
	Created         time.Time
	State           RequestState
	DecidedBy       string // id of a user; "" = not decided
	DecidedByName   string
	Reason          string // of the decision, or of the end
	Decided         time.Time
	Ends            time.Time // of the access; zero = open end
}

// ApprovedBy reports whether a user has approved the request. Such a user gets no
// secret of the access, so that it takes two people to let a program in. What the
// portal has approved by itself was approved by nobody.
func (r AccessRequest) ApprovedBy(userID string) bool {
	return userID != "" && r.DecidedBy == userID && (r.State == RequestApproved || r.State == RequestEnded)
}

// Holds reports whether the access is approved and has not come to its end at a time.
func (r AccessRequest) Holds(at time.Time) bool {
	return r.State == RequestApproved && (r.Ends.IsZero() || at.Before(r.Ends))
}

// RequestFilter chooses requests. Empty fields choose all.
type RequestFilter struct {
	State  RequestState
	Search string // in the names of app, team and requester, the plan and the purpose
}

const (
	requestColumns = `r.id, r.app_id, apps.name, apps.team_id, teams.name, r.plan, r.hospitals, r.purpose, r.requested_by,
		COALESCE(requester.name, ''), r.created, r.state, r.decided_by, COALESCE(decider.name, ''), r.reason, r.decided, r.ends`
	requestJoins = `JOIN apps ON apps.id = r.app_id JOIN teams ON teams.id = apps.team_id
		LEFT JOIN users requester ON requester.id = r.requested_by LEFT JOIN users decider ON decider.id = r.decided_by`
	requestQuery = "SELECT " + requestColumns + " FROM access_requests r " + requestJoins
)

func scanRequest(r row) (AccessRequest, error) {
	var a AccessRequest
	err := r.Scan(&a.ID, &a.AppID, &a.AppName, &a.TeamID, &a.TeamName, &a.Plan, fromJSON[[]string]{&a.Hospitals}, &a.Purpose,
		&a.RequestedBy, &a.RequestedByName, stamped{&a.Created}, &a.State, &a.DecidedBy, &a.DecidedByName, &a.Reason,
		stamped{&a.Decided}, stamped{&a.Ends})
	return a, err
}

// currentRequest is the condition that a request waits for its decision, or that its
// access holds at a time.
const currentRequest = "(r.state = 'pending' OR r.state = 'approved' AND (r.ends = 0 OR r.ends > ?))"

// CreateRequest asks for access in the name of by. ErrConflict when the app is
// archived, ErrFull when it has MaxRequests [access.request].
func (s *Store) CreateRequest(ctx context.Context, by By, request AccessRequest) (AccessRequest, error) {
	id := newID("req")
	if len(request.Hospitals) == 0 {
		return AccessRequest{}, errors.New("a request names no hospital")
	}
	err := s.change(ctx, by, func(q queries) (act, error) {
		app, err := q.app(ctx, request.AppID)
		if err == nil && !app.Archived.IsZero() {
			err = ErrConflict
		}
		if err == nil {
			err = q.room(ctx, MaxRequests, "SELECT COUNT(*) FROM access_requests r WHERE r.app_id = ? AND "+currentRequest,
				request.AppID, stamp(s.now()))
		}
		if err != nil {
			return act{}, err
		}
		_, err = q.exec(ctx, `INSERT INTO access_requests (id, app_id, plan, hospitals, purpose, requested_by, created, state)
			VALUES (`+marks(8)+`)`, id, request.AppID, request.Plan, asJSON(request.Hospitals), request.Purpose, by.UserID,
			stamp(s.now()), RequestPending)
		if err != nil {
			return act{}, err
		}
		request, err = q.request(ctx, id)
		return act{"access.request", "request", id, map[string]string{
			"app": request.AppID, "plan": request.Plan, "hospitals": strings.Join(request.Hospitals, " "),
		}}, err
	})
	return request, err
}

// WithdrawRequest takes a pending request back; others are an ErrConflict
// [access.withdraw].
func (s *Store) WithdrawRequest(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		return act{"access.withdraw", "request", id, nil}, q.move(ctx, "access_requests", id,
			"UPDATE access_requests SET state = 'withdrawn' WHERE id = ? AND state = 'pending'", id)
	})
}

// Approve grants what a pending request asks for, until the given time, or for
// ever when that is zero. ErrConflict when it is not pending, ErrOwnRequest when
// it is by's own [access.approve].
func (s *Store) Approve(ctx context.Context, by By, id, reason string, ends time.Time) error {
	detail := map[string]string{"reason": reason}
	if !ends.IsZero() {
		detail["ends"] = ends.UTC().Format(time.RFC3339)
	}
	return s.decide(ctx, by, id, act{"access.approve", "request", id, detail}, RequestApproved, reason, ends)
}

// Refuse refuses a pending request. ErrConflict when it is not pending,
// ErrOwnRequest when it is by's own [access.refuse].
func (s *Store) Refuse(ctx context.Context, by By, id, reason string) error {
	done := act{"access.refuse", "request", id, map[string]string{"reason": reason}}
	return s.decide(ctx, by, id, done, RequestRefused, reason, time.Time{})
}

// ownRequest is the condition that a request is a user's own: made by them, or for
// a team in which they could make keys under it, whoever of it has asked.
const ownRequest = `(r.requested_by = ? OR EXISTS (SELECT 1 FROM apps JOIN members ON members.team_id = apps.team_id
	WHERE apps.id = r.app_id AND members.user_id = ? AND members.role <> 'viewer'))`

// IsOwn reports whether a request is a user's own, which others decide: made by
// them, or for a team in which they may change things.
func (s *Store) IsOwn(ctx context.Context, userID, requestID string) (bool, error) {
	return s.read().isOwn(ctx, userID, requestID)
}

func (q queries) isOwn(ctx context.Context, userID, requestID string) (bool, error) {
	return one(ctx, q, value[bool], "SELECT "+ownRequest+" FROM access_requests r WHERE r.id = ?", userID, userID, requestID)
}

func (s *Store) decide(ctx context.Context, by By, id string, done act, state RequestState, reason string, ends time.Time) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		own, err := q.isOwn(ctx, by.UserID, id)
		if err == nil && own {
			err = ErrOwnRequest
		}
		if err != nil {
			return act{}, err
		}
		return done, q.move(ctx, "access_requests", id, `UPDATE access_requests
			SET state = ?, decided_by = ?, reason = ?, decided = ?, ends = ? WHERE id = ? AND state = 'pending'`,
			state, by.UserID, reason, stamp(s.now()), stamp(ends), id)
	})
}

// endedWithAccess are the states of credentials that end with their access.
const endedWithAccess = "('creating', 'active', 'rotating', 'lost')"

// EndAccess ends an approved access now; the reason takes the place of that of
// the approval. In the same step its credentials begin to be revoked, which
// callers complete. ErrConflict when it is not approved [access.end, and
// credential.revoke for each credential].
func (s *Store) EndAccess(ctx context.Context, by By, id, reason string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		now := stamp(s.now())
		err := q.move(ctx, "access_requests", id,
			"UPDATE access_requests SET state = 'ended', reason = ?, ends = ? WHERE id = ? AND state = 'approved'", reason, now, id)
		if err != nil {
			return act{}, err
		}
		ended, err := all(ctx, q, value[string], `UPDATE credentials SET state = 'revoking', note = ?, changed = ?
			WHERE request_id = ? AND state IN `+endedWithAccess+" RETURNING id", reason, now, id)
		if err != nil {
			return act{}, err
		}
		for _, credential := range ended {
			detail := map[string]string{"reason": reason, "request": id}
			if err := s.appendAct(ctx, q, by, act{"credential.revoke", "credential", credential, detail}); err != nil {
				return act{}, err
			}
		}
		return act{"access.end", "request", id, map[string]string{"reason": reason}}, nil
	})
}

// Request returns the request of an id.
func (s *Store) Request(ctx context.Context, id string) (AccessRequest, error) {
	return s.read().request(ctx, id)
}

func (q queries) request(ctx context.Context, id string) (AccessRequest, error) {
	return one(ctx, q, scanRequest, requestQuery+" WHERE r.id = ?", id)
}

// RequestsOfApp returns the requests of an app that wait or whose access holds, and
// the last MaxFormerRequests of the others, newest first.
func (s *Store) RequestsOfApp(ctx context.Context, appID string) ([]AccessRequest, error) {
	now := stamp(s.now())
	return all(ctx, s.read(), scanRequest, requestQuery+" WHERE r.app_id = ? AND ("+currentRequest+` OR r.id IN
		(SELECT r.id FROM access_requests r WHERE r.app_id = ? AND NOT `+currentRequest+` ORDER BY r.created DESC, r.id LIMIT ?))
		ORDER BY r.created DESC, r.id`, appID, now, appID, now, MaxFormerRequests)
}

// RequestsOf returns the requests of all teams of a user that wait or whose access
// holds, newest first.
func (s *Store) RequestsOf(ctx context.Context, userID string) ([]AccessRequest, error) {
	return all(ctx, s.read(), scanRequest, requestQuery+` JOIN members ON members.team_id = apps.team_id
		WHERE members.user_id = ? AND `+currentRequest+" ORDER BY r.created DESC, r.id", userID, stamp(s.now()))
}

// Requests returns requests, newest first; of pending ones those that wait
// longest come first.
func (s *Store) Requests(ctx context.Context, filter RequestFilter, page Page) (List[AccessRequest], error) {
	chosen := selection{columns: requestColumns, table: "access_requests", alias: "r", joins: requestJoins, order: "r.created DESC, r.id"}
	if filter.State == RequestPending {
		chosen.order = "r.created, r.id"
	}
	chosen.where.is("r.state", string(filter.State))
	chosen.where.matches(filter.Search, "r.plan"+like+" OR r.purpose"+like+" OR r.app_id IN "+appsLike+
		" OR r.requested_by IN (SELECT id FROM users WHERE name"+like+")")
	return list(ctx, s.read(), scanRequest, chosen, page)
}

// CountPending returns how many requests wait for a decision.
func (s *Store) CountPending(ctx context.Context) (int, error) {
	return one(ctx, s.read(), value[int], "SELECT COUNT(*) FROM access_requests WHERE state = 'pending'")
}
