// Package tokens keeps the access tokens of all hospitals: fetched once, shared
// by all nodes through Redis, encrypted there, and renewed before they end.
//
// # In Redis
//
// What belongs to one [Identity] lies under four keys, token:{name}:value,
// :lock, :failure and :attempts. The name is a keyed hash of the identity, and
// the braces keep the four in one slot of a cluster. A token and the text of a
// failure are compact JWEs (RFC 7516, direct A256GCM) whose plaintext holds the
// name and the version they were written under, so that none can be moved to
// another key or passed off as another version. What does not open is treated
// as if it were not there.
//
// # One refresh at a time
//
// A node that needs a token takes the lock (SET NX PX) with a random owner and
// calls the token endpoint; the others poll, with jitter, and take the result
// from Redis. The lock is a lease: its holder extends it while it is at work,
// and when it dies the lease ends and another takes over. The owner is the
// fencing token: every script that writes checks in the same step that the lock
// is still its owner's, so a holder that comes late changes nothing. It becomes
// the version of the value that it wrote.
//
// # Without Redis
//
// When Redis does not answer, each process goes on alone with what it has in
// memory, and fetches for itself: at most once at a time and per process, which
// for n nodes is n tokens where one would do, and failures are remembered by
// each process alone. A token endpoint that ends older tokens when it issues a
// new one then costs each node a 401 and a replay. Redis is asked again after a
// second. A holder that loses Redis in mid-fetch still serves its own callers.
//
// # Keys
//
// The first key of the set seals, all open, so keys rotate in three steps: the
// new one is added to all nodes, then moved to the front, and the old one is
// removed when its tokens have ended. Names are made with the key whose kid
// sorts first, whatever the order of the set; when that key comes or goes, the
// names change, and each token is fetched once more.
package tokens
