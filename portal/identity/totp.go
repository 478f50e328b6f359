package identity

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"fhirgate/portal/store"
)

// Time steps of codes (RFC 6238, section 5.2: one step of delay is tolerated).
const (
	stepSeconds = 30
	stepSkew    = 1
)

// issuer is what authenticator apps show above a code.
const issuer = "fhirgate"

// qrSize is the width of the QR code, in pixels.
const qrSize = 240

// Enrolment is what an authenticator app has to learn.
type Enrolment struct {
	Secret string       // in groups of four letters, for typing
	QR     template.URL // PNG, as a data: URI
}

// sealedSecret is what is encrypted in the store: with its owner, so that it is
// worth nothing in another user's row.
type sealedSecret struct {
	User   string    `json:"user"`
	Secret string    `json:"secret"`
	Begun  time.Time `json:"begun"`
}

// enrolmentLife is how long a secret waits for its first code.
const enrolmentLife = 15 * time.Minute

// Proof is how somebody who is signed in shows that it is still them: whoever has
// come by a session must not lock its owner out.
type Proof struct {
	Password string    // of who has one
	Login    time.Time // at the identity provider, of who has no password; zero = not known
}

// freshLogin is how long a login at the provider stands for a password.
const freshLogin = 10 * time.Minute

// MustSignInAgain reports whether a user has no password to be asked for, and the
// login at the provider is too long ago, or not known, to go without. To a new
// account nothing has happened yet.
func (s *Service) MustSignInAgain(user store.User, login time.Time) bool {
	if login.Before(user.Created) {
		login = user.Created
	}
	return user.PasswordHash == "" && s.now().Sub(login) > freshLogin
}

// BeginTOTP makes a new secret for a user, in place of one that is not confirmed.
// Errors: ErrPassword, ErrSignInAgain, a *Throttled, or store.ErrConflict when the
// second factor is confirmed.
func (s *Service) BeginTOTP(ctx context.Context, by store.By, user store.User, proof Proof) (*Enrolment, error) {
	switch {
	case user.HasSecondFactor():
		return nil, store.ErrConflict
	case s.MustSignInAgain(user, proof.Login):
		return nil, ErrSignInAgain
	case user.PasswordHash != "":
		if err := s.provePassword(ctx, by, user, proof.Password); err != nil {
			return nil, err
		}
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: user.Email})
	if err != nil {
		return nil, fmt.Errorf("second factor: %w", err)
	}
	plain, err := json.Marshal(sealedSecret{user.ID, key.Secret(), s.now()}) //nolint:gosec // to be sealed
	if err != nil {
		return nil, err
	}
	sealed, err := s.keys.Seal(plain)
	if err != nil {
		return nil, fmt.Errorf("second factor: %w", err)
	}
	if err := s.store.SetTOTP(ctx, by, user.ID, []byte(sealed)); err != nil {
		return nil, err
	}
	return enrolment(key)
}

// AwaitsCode reports whether BeginTOTP has made a secret within a quarter of an hour
// that nobody has confirmed yet. The secret itself is in the answer of BeginTOTP only.
func (s *Service) AwaitsCode(user store.User) (bool, error) {
	if user.TOTP == nil || user.HasSecondFactor() {
		return false, nil
	}
	sealed, err := s.open(user)
	return err == nil && s.now().Sub(sealed.Begun) < enrolmentLife, err
}

func enrolment(key *otp.Key) (*Enrolment, error) {
	picture, err := key.Image(qrSize, qrSize)
	if err != nil {
		return nil, fmt.Errorf("second factor: %w", err)
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		return nil, fmt.Errorf("second factor: %w", err)
	}
	return &Enrolment{
		Secret: grouped(key.Secret(), " "),
		QR:     template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(encoded.Bytes())), //nolint:gosec // made here
	}, nil
}

// grouped puts a separator behind every fourth character.
func grouped(text, separator string) string {
	var groups []string
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(append(groups, text), separator)
}

// ConfirmTOTP puts the second factor into force by a first code, ends all
// sessions, and returns the recovery codes, which cannot be shown again, and the
// user as it is then. Errors: ErrCode or a *Throttled.
func (s *Service) ConfirmTOTP(ctx context.Context, by store.By, user store.User, code string) (codes []string, _ store.User, err error) {
	if err := s.takeCode(ctx, by, user, code); err != nil {
		return nil, store.User{}, err
	}
	codes, hashes := newRecoveryCodes(user.ID)
	if err := s.store.ConfirmTOTP(ctx, by, user.ID, hashes); err != nil {
		return nil, store.User{}, err
	}
	user, err = s.store.User(ctx, user.ID)
	return codes, user, err
}

// SecondFactor takes a code of the user's app, each once. Errors: ErrCode or a
// *Throttled.
func (s *Service) SecondFactor(ctx context.Context, by store.By, user store.User, code string) error {
	err := s.takeCode(ctx, by, user, code)
	if errors.Is(err, ErrCode) {
		return refuse(ErrCode, s.store.SignInRefused(ctx, by, "code", user.ID))
	}
	return err
}

// RemoveTOTP takes the second factor out of force, by a code, ends all sessions,
// and returns the user as it is then. Errors: ErrCode, ErrAdministrator or a
// *Throttled.
func (s *Service) RemoveTOTP(ctx context.Context, by store.By, user store.User, code string) (store.User, error) {
	if user.Role == store.RoleAdmin {
		return store.User{}, ErrAdministrator
	}
	if err := s.takeCode(ctx, by, user, code); err != nil {
		return store.User{}, err
	}
	if err := s.store.RemoveTOTP(ctx, by, user.ID); err != nil {
		return store.User{}, err
	}
	return s.store.User(ctx, user.ID)
}

// takeCode uses up a code.
func (s *Service) takeCode(ctx context.Context, by store.By, user store.User, code string) error {
	return s.trySecondFactor(ctx, by, user, ErrCode, func() (bool, error) {
		sealed, err := s.open(user)
		if err != nil {
			return false, err
		}
		step, found, err := s.stepOf(sealed.Secret, code)
		if err != nil || !found {
			return false, err
		}
		return s.store.TakeTOTPStep(ctx, user.ID, step)
	})
}

// trySecondFactor lets take have one try, and returns refusal when it fails.
func (s *Service) trySecondFactor(ctx context.Context, by store.By, user store.User, refusal *Refusal, take func() (bool, error)) error {
	try, err := s.throttle.begin(ctx, counterOf("second factor", user.ID, freeOfAccount), ofAddress("login", by.Address))
	if err != nil {
		return err
	}
	defer try.end()
	right, err := take()
	if err != nil {
		return err
	}
	if !right {
		return refuse(refusal, try.failed(ctx))
	}
	return try.succeeded(ctx)
}

// stepOf returns the time step that a code belongs to.
func (s *Service) stepOf(secret, code string) (step int64, found bool, err error) {
	code = strings.Join(strings.Fields(code), "")
	now := s.now().Unix() / stepSeconds
	for at := now - stepSkew; at <= now+stepSkew; at++ {
		want, err := hotp.GenerateCode(secret, uint64(at))
		if err != nil {
			return 0, false, fmt.Errorf("second factor: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, found = at, true
		}
	}
	return step, found, nil
}

// open opens the secret of a user's second factor.
func (s *Service) open(user store.User) (sealedSecret, error) {
	plain, err := s.keys.Open(string(user.TOTP))
	if err != nil {
		return sealedSecret{}, fmt.Errorf("second factor: %w", err)
	}
	var opened sealedSecret
	if err := json.Unmarshal(plain, &opened); err != nil || opened.User != user.ID {
		return sealedSecret{}, errors.New("second factor: the secret is another user's")
	}
	return opened, nil
}
