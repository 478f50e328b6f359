package store

import "context"

// How many there may be of what people make by themselves: more than anybody needs,
// and few enough that a page holds them.
const (
	// MaxTeams is how many teams a user owns at most when they make another. A team
	// always has an owner, so that users bound how many teams there are.
	MaxTeams = 50
	// MaxApps is how many apps a team has at most that are not archived.
	MaxApps = 200
	// MaxCredentials is how many credentials an app has at most that were not
	// revoked and have not come to their end.
	MaxCredentials = 50
	// MaxRequests is how many requests an app has at most that wait for their
	// decision, or whose access holds.
	MaxRequests = 50
	// MaxInvitations is how many open invitations a team has at most when its owners
	// invite.
	MaxInvitations = 200
)

// MaxFormerRequests is how many requests of an app are listed at most of which
// nothing holds any more, or ever did.
const MaxFormerRequests = 20

// room returns ErrFull unless fewer are counted than there may be.
func (q queries) room(ctx context.Context, most int, count string, args ...any) error {
	there, err := one(ctx, q, value[int], count, args...)
	if err == nil && there >= most {
		err = ErrFull
	}
	return err
}
