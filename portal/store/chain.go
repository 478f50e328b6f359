package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// chain holds the key under which each act vouches for all before it.
type chain struct{ key []byte }

// hash is the hash of an act: over its JSON form, in which fields stand in a fixed
// order, without the hash itself.
func (c chain) hash(a Act) string {
	a.Hash = ""
	return c.mac("act", a)
}

// seal is the MAC of the head of the trail.
func (c chain) seal(h head) string {
	h.MAC = ""
	return c.mac("head", h)
}

// sealed reports whether a head is as it was written.
func (c chain) sealed(h head) bool { return hmac.Equal([]byte(h.MAC), []byte(c.seal(h))) }

// mac is an HMAC over a value's JSON form, and over what the value is: a head must
// not pass for an act.
func (c chain) mac(what string, v any) string {
	text, _ := json.Marshal(v) // acts and heads can be encoded
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(what + "\n"))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

// verifier follows a trail from its first act.
type verifier struct {
	chain
	Verdict
}

// next looks at the next act, and reports whether all is well so far.
func (v *verifier) next(a Act) bool {
	if v.Broken != 0 {
		return false
	}
	seq := v.Count + 1
	switch {
	case a.Seq != seq:
		return v.broken(seq, fmt.Sprintf("act %d is missing: act %d follows act %d", seq, a.Seq, v.Count))
	case a.Previous != v.Head:
		return v.broken(seq, fmt.Sprintf("act %d does not follow the act before it", seq))
	case !hmac.Equal([]byte(a.Hash), []byte(v.hash(a))):
		return v.broken(seq, fmt.Sprintf("act %d was changed", seq))
	}
	v.Count, v.Head = a.Seq, a.Hash
	return true
}

// end compares the last act with the head of the trail.
func (v *verifier) end(h head) {
	seq := v.Count + 1
	switch {
	case v.Broken != 0:
	case !v.sealed(h):
		v.broken(seq, "the head of the trail was changed")
	case h.Count > v.Count:
		v.broken(seq, fmt.Sprintf("the acts from %d to %d are missing", seq, h.Count))
	case h.Count < v.Count || h.Hash != v.Head:
		v.broken(v.Count, "the head of the trail is another act")
	}
}

func (v *verifier) broken(seq int64, problem string) bool {
	v.Broken, v.Problem = seq, problem
	return false
}
