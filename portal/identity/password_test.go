package identity

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPasswordsThatAreTaken(t *testing.T) {
	p, err := newPasswords(cheap)
	require.NoError(t, err)
	for name, given := range map[string]string{
		"words":                            "four words make one",
		"twelve characters":                "kT7wq-zzPl0a",
		"letters only":                     "sandpiperlantern",
		"twelve characters of two bytes":   "ärgerßlöwéñü",
		"the longest":                      strings.Repeat("long word ", 12) + "12345678",
		"the e-mail's domain":              "pacs.example.4711",
		"an e-mail name that is too short": "bo-jo-lo-vo-ro-mo",
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, p.judge(given, "bo@pacs.example")) })
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	p, err := newPasswords(cheap)
	require.NoError(t, err)
	for name, test := range map[string]struct{ password, want string }{
		"empty":                  {"", "at least 12"},
		"short":                  {"elevenchars", "at least 12"},
		"short, of two bytes":    {"ärgerßlöwéñ", "at least 12"},
		"too long":               {strings.Repeat("x1y2", 33), "at most 128"},
		"with the e-mail's name": {"this is Joanna's key", "e-mail name"},
		"common":                 {"correcthorsebatterystaple", "first passwords"},
		"common in capitals":     {"Password1234", "first passwords"},
		"one letter":             {"aaaaaaaaaaaaaaa", "first passwords"},
		"a piece over and over":  {"abc1abc1abc1", "first passwords"},
		"the same, cut":          {"abc1abc1abc1ab", "first passwords"},
		"digits in order":        {"123456789012", "first passwords"},
		"letters backwards":      {"zyxwvutsrqpon", "first passwords"},
		"keys in order":          {"qwertyuiopas", "first passwords"},
		"no text":                {"\xff\xfe\xfd\xfc34567890ab", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var refusal *Refusal
			require.ErrorAs(t, p.judge(test.password, "joanna@pacs.example"), &refusal)
			require.Contains(t, refusal.Text, test.want)
			if test.password != "" {
				require.NotContains(t, refusal.Error()+refusal.Text, test.password)
			}
		})
	}
}

func TestEveryCommonPasswordIsRefusedForThat(t *testing.T) {
	p, err := newPasswords(cheap)
	require.NoError(t, err)
	require.Greater(t, len(p.common), 200)
	for password := range p.common {
		require.Equal(t, strings.ToLower(password), password)
		var refusal *Refusal
		require.ErrorAs(t, p.judge(password, "x@pacs.example"), &refusal, password)
		require.Contains(t, refusal.Text, "first passwords", password)
	}
}

func TestTwoHashesAtOnce(t *testing.T) {
	p, err := newPasswords(cheap)
	require.NoError(t, err)
	first, err := p.take(t.Context())
	require.NoError(t, err)
	second, err := p.take(t.Context())
	require.NoError(t, err)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.hash(over, password)
	require.ErrorIs(t, err, context.Canceled, "whoever goes away does not wait")
	_, _, err = p.check(over, password, "")
	require.ErrorIs(t, err, context.Canceled, "an account that does not exist waits as well")

	require.Equal(t, 2, cap(p.slots))
	done := make(chan error)
	go func() {
		_, err := p.hash(context.Background(), password)
		done <- err
	}()
	select {
	case <-done:
		require.Fail(t, "a third hash did not wait")
	default:
	}
	first()
	require.NoError(t, <-done)
	second()
}

func TestPasswordOfNobody(t *testing.T) {
	p, err := newPasswords(cheap)
	require.NoError(t, err)
	for _, given := range []string{"", "of nobody", password, strings.Repeat("x", 4096)} {
		right, _, err := p.check(t.Context(), given, "")
		require.NoError(t, err)
		require.False(t, right)
	}
	hash, err := p.hash(t.Context(), password)
	require.NoError(t, err)
	right, outdated, err := p.check(t.Context(), password, hash)
	require.NoError(t, err)
	require.True(t, right)
	require.False(t, outdated)
}

func TestHashesAreAsRecommended(t *testing.T) {
	p, err := newPasswords(recommended)
	require.NoError(t, err)
	require.Contains(t, p.dummy, "$argon2id$v=19$m=65536,t=3,p=4$")
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 1500 * time.Millisecond: "2 seconds", 90 * time.Second: "90 seconds",
		91 * time.Second: "2 minutes", time.Hour: "60 minutes", 24 * time.Hour: "24 hours",
	} {
		require.Equal(t, want, words(d))
	}
}

func TestAddresses(t *testing.T) {
	for given, want := range map[string]string{
		" Ann@PACS.example ": "ann@pacs.example", "a.b+c@x.example": "a.b+c@x.example", "root@localhost": "root@localhost",
		"": "", "ann": "", "ann@": "", "@x.example": "", "ann@host": "", "Ann <ann@x.example>": "", "a@x.example,b@x.example": "",
		"a b@x.example": "", "\"a b\"@x.example": "", "a@x.example\r\nBcc: b@x.example": "", "a@.example.": "",
		strings.Repeat("a", 250) + "@x.example": "",
		"an\u200bn@pacs.example":                "", "ann@pacs\u00ad.example": "", "\u202enna@pacs.example": "", "ann\ufeff@pacs.example": "", // as if they were Ann's
		"\u212aim@pacs.example": "kim@pacs.example", "j\u00f8rgen@pacs.example": "j\u00f8rgen@pacs.example",
	} {
		got, err := Address(given)
		require.Equal(t, want, got, given)
		require.Equal(t, want == "", err != nil, given)
	}
}
