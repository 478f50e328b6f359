package identity

import (
	"bufio"
	"context"
	_ "embed" // the list of common passwords
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// Bounds of passwords, in characters (NIST SP 800-63B-4, section 3.1.1.2: length,
// and no rules of composition).
const (
	minPassword = 12
	maxPassword = 128
)

// minLocalPart is from how many characters on the first part of an e-mail address
// must not be in the password: shorter ones are in half of all words.
const minLocalPart = 3

// maxHashes bounds the memory that hashing takes: this many times 64 MiB.
const maxHashes = 2

// recommended are the parameters of new passwords: the second recommended option
// of RFC 9106, section 4.
var recommended = &argon2id.Params{Memory: 64 * 1024, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}

//go:embed common.txt
var commonText string

// passwords hashes and checks passwords, two at a time.
type passwords struct {
	params *argon2id.Params
	slots  chan struct{}
	dummy  string // stands for the password of accounts that do not exist
	common map[string]bool
}

func newPasswords(params *argon2id.Params) (*passwords, error) {
	dummy, err := argon2id.CreateHash("of nobody", params)
	p := &passwords{params: params, slots: make(chan struct{}, maxHashes), dummy: dummy, common: make(map[string]bool)}
	for lines := bufio.NewScanner(strings.NewReader(commonText)); lines.Scan(); {
		p.common[lines.Text()] = true
	}
	return p, err
}

// take waits for its turn, or until the context ends.
func (p *passwords) take(ctx context.Context) (release func(), err error) {
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	release, err := p.take(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, p.params)
}

// check reports whether a password belongs to a hash, and whether that was made
// with other parameters than new ones are. The empty hash belongs to no password,
// which takes as long to find out.
func (p *passwords) check(ctx context.Context, password, hash string) (right, outdated bool, err error) {
	release, err := p.take(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	if hash == "" || utf8.RuneCountInString(password) > maxPassword {
		_, _, err = argon2id.CheckHash("", p.dummy)
		return false, false, err
	}
	right, params, err := argon2id.CheckHash(password, hash)
	if err != nil {
		return false, false, err
	}
	return right, *params != *p.params, nil
}

// judge returns a *Refusal that says why a password is not taken for the account
// of an e-mail address, or nil.
func (p *passwords) judge(password, email string) error {
	length := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	local, _ := split(email)
	switch {
	case !utf8.ValidString(password):
		return &Refusal{"weak password", "The password holds characters that cannot be read."}
	case length < minPassword:
		return &Refusal{"weak password", "A password has at least 12 characters. Several words are easy to remember."}
	case length > maxPassword:
		return &Refusal{"weak password", "A password has at most 128 characters."}
	case len(local) >= minLocalPart && strings.Contains(lower, strings.ToLower(local)):
		return &Refusal{"weak password", "The password must not contain your e-mail name."}
	case p.common[lower] || repeats(lower) || runs(lower):
		return &Refusal{"weak password", "This is one of the first passwords that an attacker tries. Choose another one."}
	}
	return nil
}

// repeats reports whether a text is a short piece over and over.
func repeats(text string) bool {
	for size := 1; size <= 4; size++ {
		if strings.HasPrefix(text[min(size, len(text)):], text[:len(text)-min(size, len(text))]) {
			return true
		}
	}
	return false
}

// keyRows are the orders that people type passwords in.
var keyRows = []string{"12345678901234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/"}

// runs reports whether a text just follows the alphabet, the digits or the keys,
// forwards or backwards.
func runs(text string) bool {
	for _, row := range keyRows {
		if strings.Contains(row, text) || strings.Contains(row, reversed(text)) {
			return true
		}
	}
	return false
}

func reversed(text string) string {
	turned := []rune(text)
	for i, j := 0, len(turned)-1; i < j; i, j = i+1, j-1 {
		turned[i], turned[j] = turned[j], turned[i]
	}
	return string(turned)
}
