package identity

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxAddress bounds e-mail addresses, in bytes (RFC 5321, section 4.5.3.1.3).
const maxAddress = 254

// Address returns an e-mail address as the store has it, or ErrAddress. One with
// characters that nobody sees would look like another's.
func Address(text string) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	parsed, err := mail.ParseAddress(text)
	unseen := func(r rune) bool { return !unicode.IsPrint(r) }
	if err != nil || parsed.Address != text || len(text) > maxAddress || strings.ContainsAny(text, "\" ,;<>") || strings.ContainsFunc(text, unseen) {
		return "", ErrAddress
	}
	if _, domain := split(text); !strings.Contains(strings.Trim(domain, "."), ".") && domain != "localhost" {
		return "", ErrAddress
	}
	return text, nil
}

// split returns what is before and behind the @ of an address.
func split(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	return address[:max(at, 0)], address[at+1:]
}

// inDomain reports whether an address is of one of the domains, not of those
// below them.
func inDomain(address string, domains []string) bool {
	_, domain := split(address)
	return slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// words returns a duration for people, rounded up: "40 seconds", "2 minutes",
// "24 hours".
func words(d time.Duration) string {
	number, name := roundUp(d, time.Second), "second"
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Minute, "minute"}, {time.Hour, "hour"}} {
		if number > 90 {
			number, name = roundUp(d, unit.length), unit.name
		}
	}
	if number == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", number, name)
}

func roundUp(d, unit time.Duration) int { return int((d + unit - 1) / unit) }
