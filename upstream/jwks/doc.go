// Package jwks keeps the keys with which the gateway signs towards hospitals
// (SMART Backend Services, private_key_jwt) and publishes their public halves
// as JWK sets (RFC 7517).
//
// # Rings
//
// A ring is a named series of keys of one algorithm, which one or more
// hospitals know by the URL of its set. A key's life:
//
//	published  in the set, not signing: vendors get to know it
//	active     in the set, signing
//	retiring   in the set, no longer signing: its successor does
//	retired    in no set; removed a week later
//
// The times of a life are in the ring's record from the moment that they are
// known. Which key signs and which are published is a pure function of the
// record and the clock ([Ring.At]); nothing runs in the background, and all
// nodes switch at the same time.
//
// Vendors keep the sets that they have fetched: Epic up to 29 hours, Veradigm
// until the next night. A new key therefore signs only when it has been
// published for longer than that ([DefaultAfter], or the ring's own time), and
// an old one stays published for as long again after its last signature. The
// time must cover, besides the vendor's cache, [maxAge] for caches on the way,
// [staleFor] for a node that cannot reach Redis, and the clocks' difference.
//
// # In Redis
//
// All records are in one hash, as JSON, one field a ring, and are replaced by
// compare-and-set: two administrators at a time never lose a key. Private keys
// are in it as compact JWEs only (RFC 7516, direct A256GCM), sealed together
// with the ring's name. Public keys are not in it at all: a set is made from
// the opened private keys, so that who can write Redis but has no
// key-encryption key cannot have a key of his own published.
//
// A ring is read at most twice a second, when it is used: a rotation or
// retirement is in force on every node within a second. When Redis does not
// answer, what was read last stays in force for ten minutes.
//
// # From files
//
// A ring can also be a file in a folder: NAME.pem or NAME.json (a private JWK
// set), mounted from a secret store. Its first key signs, all are published.
// It rotates by replacing the file: the new key last, then first, then alone.
package jwks
