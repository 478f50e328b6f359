package identity

import (
	"errors"
	"time"
)

// Refusal says why somebody is not let in or a thing is not taken.
type Refusal struct {
	Reason string // a word or two, for the trail and the log
	Text   string // a sentence or two, for the person
}

// Error returns the reason.
func (r *Refusal) Error() string { return "refused: " + r.Reason }

// What is refused in the same words wherever it happens.
var (
	// ErrCredentials does not tell whether there is such an account, whether the
	// password is wrong, or whether the account was disabled.
	ErrCredentials = &Refusal{"credentials", "The e-mail address or the password is wrong."}
	// ErrPassword says that the current password, asked again, is wrong.
	ErrPassword = &Refusal{"password", "This is not your current password."}
	// ErrSignInAgain says that somebody without a password has to sign in anew.
	ErrSignInAgain = &Refusal{"sign in again", "You signed in some time ago. Sign in again first, so that nobody else sets this up in a session that you left open."}
	// ErrCode says that a code of the second factor is wrong or was used.
	ErrCode = &Refusal{"code", "This code is wrong or was used already. Wait for the next one."}
	// ErrRecoveryCode says that a recovery code is wrong or was used.
	ErrRecoveryCode = &Refusal{"recovery code", "This recovery code is wrong or was used already."}
	// ErrLink says that a one-time link is unknown, was used or is over.
	ErrLink = &Refusal{"link", "This link was used already, or its time is over. Ask for a new one."}
	// ErrTaken says that there is an account of the address. It is for those only
	// who have shown that the address is theirs, and for administrators.
	ErrTaken = &Refusal{"taken", "There is an account of this e-mail address already."}
	// ErrNoReset says that no administrator hands out a link for somebody's password.
	ErrNoReset = &Refusal{"no reset", "Only developers who are not disabled get such a link. Administrators get theirs by mail, or on the command line: fhirgate portal invite --admin."}
	// ErrAddress says that something is no e-mail address.
	ErrAddress = &Refusal{"address", "This is not an e-mail address."}
	// ErrDomain says that owners of such addresses cannot sign up.
	ErrDomain = &Refusal{"domain", "Nobody can sign up with an address of this domain. Ask an administrator for an invitation."}
	// ErrNoMail says that the portal has no way to send mail.
	ErrNoMail = &Refusal{"no mail", "This portal sends no mail. Ask an administrator."}
	// ErrNotMailed says that somebody gets neither an invitation nor a link for a new
	// password, since the mail could not be sent.
	ErrNotMailed = &Refusal{"not mailed", "The mail could not be sent just now, so that nothing came of it. Try again in a few minutes."}
	// ErrBusy says that too much is waiting to be sent.
	ErrBusy = &Refusal{"busy", "There is too much to do just now. Try again in a minute."}
	// ErrAdministrator says that administrators keep their second factor.
	ErrAdministrator = &Refusal{"administrator", "An administrator needs a second factor: it cannot be removed."}
)

// refuse returns a refusal, unless noting it failed.
func refuse(refusal *Refusal, noted ...error) error {
	if err := errors.Join(noted...); err != nil {
		return err
	}
	return refusal
}

// Throttled says that there were too many failures, and how long to wait.
type Throttled struct {
	Wait time.Duration // until the next try, in whole seconds, at least one
}

// Error does not say of whom.
func (t *Throttled) Error() string { return "refused: too many failures" }

// Text is for the person who has to wait.
func (t *Throttled) Text() string {
	return "There were too many failed tries. Try again in " + words(t.Wait) + "."
}
