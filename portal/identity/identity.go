// Package identity knows people: their passwords and second factors, the login of
// their company (OpenID Connect), invitations, and one-time links by e-mail.
//
// Whether an account exists is nobody's business: login, sign-up and forgotten
// passwords answer alike, after about the same work, whether it does or not.
// Secrets, tokens and e-mail addresses are in no error and no log line.
package identity
