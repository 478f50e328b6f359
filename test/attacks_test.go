package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// attack is one row of docs/attacks.md: the page and the test are made from the
// same.
type attack struct {
	name   string // what the attacker tries, in plain words
	sends  string // what goes over the wire
	hides  string // why nothing is learned
	status int    // of the answer; 0 = there is none
	code   string // of the OperationOutcome's issue, or error of RFC 6749; "" = neither
	answer string // of the page, where status and code do not say it all

	reaches bool // the hospital is asked, and only to read
	slow    bool // mostly waits, and so runs beside others
	try     func(f *fight)
}

// attackGroup is a section of the page.
type attackGroup struct {
	title string
	text  string // what the section is about
	rows  []attack
}

// attackGroups are all sections in their order.
func attackGroups() []attackGroup {
	return []attackGroup{
		{"Tokens", "The attacker forges, changes or keeps access tokens. \"The gateway's own key\" is the one that signs real tokens, which these tests take out of the store: even with it a claim that is wrong does not pass.", tokenAttacks()},
		{"Tokens of an outside identity provider", "The attacker can have tokens of a provider that the gateway trusts, or shows such as that would sign.", providerAttacks()},
		{"The token endpoint", "The attacker wants a token of the gateway, or wants the gateway to fetch something for it.", clientAttacks()},
		{"Keys", "The attacker has a credential that is not good here, or none.", keyAttacks()},
		{"Guessing", "The attacker asks to find out what there is.", guessAttacks()},
		{"Client certificates", "The attacker calls by mutual TLS. The hospital's file wants a key and a certificate of the same consumer.", certificateAttacks()},
		{"Addresses and identities", "The attacker writes into headers what a proxy would write.", headerAttacks()},
		{"Paths and methods", "The attacker writes a path that two programs may read in two ways, or calls Tyk behind the gateway.", pathAttacks()},
		{"The connection", "The attacker plays with HTTP itself.", wireAttacks()},
		{"Beyond the scopes", "The attacker is a consumer whose plan permits `system/Patient.rs` and nothing else.", scopeAttacks()},
		{"Batches", "The attacker, with the same plan, hides the call in a Bundle.", batchAttacks()},
		{"Constrained scopes and deny rules", "The attacker's plan permits `system/Observation.cruds?category=laboratory` and `system/Patient.rs`. What such a caller may not see it does not see, nor any part of it, nor that there is a resource of that id.", constraintAttacks()},
		{"Bodies", "The attacker hides in the body what its plan does not permit.", bodyAttacks()},
		{"Links and references", "The attacker follows links that were given to others, and writes references to other hospitals.", linkAttacks()},
	}
}

// TestAttacks makes every attack of docs/attacks.md on running gateways. Each
// row also makes the same call without what is evil about it, which must work:
// no attack is refused by accident.
func TestAttacks(t *testing.T) {
	a := openArena(t)
	n := 0
	for _, group := range attackGroups() {
		t.Run(group.title, func(t *testing.T) {
			for _, row := range group.rows {
				n++
				from := fmt.Sprintf("127.1.%d.%d", n/200, n%200+1)
				t.Run(row.name, func(t *testing.T) {
					if row.slow {
						t.Parallel()
					}
					f := &fight{arena: a, t: t, row: row, from: from}
					row.try(f)
					require.Positive(t, f.worked, "the row shows that the call works without the attack")
					require.Positive(t, f.struck, "the row attacks")
				})
			}
		})
	}
}

// fight is one row being tried. Its calls come from an address of its own, so
// that guesses of one row do not slow down another.
type fight struct {
	*arena
	t      *testing.T
	row    attack
	from   string
	worked int
	struck int
}

// works requires that a call succeeded: the one without the attack. From here on
// every call that a hospital gets is held against the row.
func (f *fight) works(a answer) answer {
	f.t.Helper()
	require.Less(f.t, a.StatusCode, 300, "without the attack: %s %s: %.1000s", a.Request.Method, a.Request.URL, a.body)
	f.worked++
	f.forget()
	return a
}

// forget forgets what the hospitals were called for.
func (f *fight) forget() {
	for _, hospital := range f.hospitals() {
		hospital.ResetCalls()
	}
}

// strikes requires the row's answer, that no hospital was called, and that the
// answer gives nothing away.
func (f *fight) strikes(answers ...answer) {
	f.t.Helper()
	for _, a := range answers {
		f.struck++
		where := fmt.Sprintf("%s %s: %v %.1500s", a.Request.Method, a.Request.URL, a.Header, a.body)
		require.Equal(f.t, f.row.status, a.StatusCode, where)
		switch {
		case f.row.code == "":
		case isOAuthError(f.row.code):
			require.Equal(f.t, f.row.code, gjson.GetBytes(a.body, "error").Str, where)
			require.Equal(f.t, "application/json", a.Header.Get("Content-Type"))
			require.Equal(f.t, "no-store", a.Header.Get("Cache-Control"), where)
		default:
			a.refused(f.row.status, f.row.code)
		}
		f.clean(a)
	}
	f.unreached()
}

// unreached requires that the attack reached no hospital, or only asked it to
// read.
func (f *fight) unreached() {
	f.t.Helper()
	for _, hospital := range f.hospitals() {
		for _, call := range hospital.Calls() {
			if f.row.reaches && call.Method == http.MethodGet {
				continue
			}
			require.Fail(f.t, "the attack reached a hospital", "%s %s", call.Method, call.Path)
		}
	}
}

// inside are words that tell which programs are at work.
var inside = regexp.MustCompile(`(?i)\b(tyk|redis|go-jose|golang|goroutine|panic)\b|\.go:\d`)

// clean requires that an answer shows nothing of what is behind the gateway.
func (f *fight) clean(a answer) {
	f.t.Helper()
	said := fmt.Sprint(a.Header, "\n", string(a.body))
	require.Empty(f.t, inside.FindString(said), "the answer shows what is inside")
	for what, text := range f.hidden {
		if at := strings.Index(said, text); at >= 0 {
			require.Fail(f.t, "the answer shows "+what, "…%.300s", said[max(0, at-100):])
		}
	}
	require.Empty(f.t, a.Header.Get("Server"))
	require.Empty(f.t, a.Header.Get("X-Powered-By"))
}

// same requires that two answers are the same bytes, but for what belongs to the
// single call.
func (f *fight) same(one, other answer, words ...string) {
	f.t.Helper()
	told := func(a answer) string {
		header := a.Header.Clone()
		header.Del("Date")
		text := fmt.Sprint(a.StatusCode, header, string(a.body))
		text = strings.ReplaceAll(text, a.Header.Get("X-Request-Id"), "{request id}")
		for _, word := range words {
			text = strings.ReplaceAll(text, word, "{asked}")
		}
		return text
	}
	require.Equal(f.t, told(one), told(other))
}

// isOAuthError tells errors of RFC 6749 from issue codes.
func isOAuthError(code string) bool {
	return strings.Contains(code, "_")
}

// attacksFile is the table as people read it.
const attacksFile = "docs/attacks.md"

// TestAttackTable keeps the page as the rows are; UPDATE writes it. It starts no
// gateway.
func TestAttackTable(t *testing.T) {
	page := attackPage(t)
	file := filepath.Join(root, attacksFile)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	}
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, page, string(written), attacksFile+" is made by UPDATE=1 go test ./test -run AttackTable")
}

func attackPage(t *testing.T) string {
	var page strings.Builder
	groups := attackGroups()
	count := 0
	var names []string
	for _, group := range groups {
		count += len(group.rows)
	}
	fmt.Fprintf(&page, attackHead, count)
	for _, group := range groups {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| attack | what is sent | answer | why nothing is learned |\n|---|---|---|---|\n", group.title, group.text)
		for _, row := range group.rows {
			require.NotContains(t, names, row.name, "each attack has a name of its own")
			names = append(names, row.name)
			cells := []string{row.name, row.sends, row.said(), row.hides}
			require.False(t, slices.Contains(cells, ""), "%s: every cell says something", row.name)
			for i, cell := range cells {
				cells[i] = strings.ReplaceAll(cell, "|", "&#124;")
			}
			fmt.Fprintf(&page, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	return page.String()
}

// said is the answer as the page tells it.
func (a attack) said() string {
	said := a.answer
	if said == "" {
		said = strconv.Itoa(a.status)
	}
	if a.answer == "" && a.code != "" {
		said += " `" + a.code + "`"
	}
	if a.reaches {
		said += " \\*"
	}
	return said
}

const attackHead = "# What attackers try, and what they get\n\n" +
	"Made from the test `TestAttacks` (UPDATE=1 go test -tags goplugin,embedso ./test -run AttackTable): do not edit.\n\n" +
	"These are %d attacks on a running gateway, each made by the tests as it stands here, against the real program with simulated\n" +
	"hospitals behind it. For every row the tests require four things:\n\n" +
	"- The answer has the status and the code of the table: an OperationOutcome with that `issue.code`, or at `/oauth/*` an error\n" +
	"  of RFC 6749.\n" +
	"- No hospital was called by the attack. Where the answer depends on the resource itself (\\*), it was read, and nothing else.\n" +
	"- Neither body nor headers show an address of a hospital, a secret, a stack trace, a version, or which programs are at work.\n" +
	"- The same call without what is evil about it works. So nothing is refused by accident.\n\n" +
	"What fails to authenticate looks the same whatever the reason is: the log tells it, by the request id, and the answer does\n" +
	"not. A hospital that a consumer's plan does not reach looks like one that does not exist.\n"
