package store

import "time"

// Act is an entry of the trail: something that somebody did.
type Act struct {
	Seq      int64             `json:"seq"`  // from 1, without gaps
	Time     time.Time         `json:"time"` // to the microsecond
	UserID   string            `json:"user_id,omitempty"`
	UserName string            `json:"user_name,omitempty"`
	Address  string            `json:"address,omitempty"`
	Name     string            `json:"name"` // such as access.approve
	Kind     string            `json:"kind"` // of the subject: user, team, app, …
	Subject  string            `json:"subject,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"` // never a secret
	Previous string            `json:"previous"`         // hash of the act before; "" = there is none
	Hash     string            `json:"hash"`             // HMAC-SHA-256 over all other fields, in hex
}

// ActFilter chooses acts. Empty fields choose all.
type ActFilter struct {
	Search string // in user name, name, subject and detail
	Name   string
	UserID string
	From   time.Time // included
	To     time.Time // excluded
}

// Verdict is what a verification of the acts found.
type Verdict struct {
	Count   int64  // acts that were read
	Head    string // hash of the last one
	Broken  int64  // first seq at which something is wrong; 0 = nothing is
	Problem string // what is wrong; "" = nothing is
}
