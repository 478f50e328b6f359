//go:build goplugin

package docs

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	command    = regexp.MustCompile(`(?m)(?:^ *|=|` + "`" + `)(?:[\w./]*/)?fhirgate ((?:[a-z]+ ?)+)([^|\n` + "`" + `]*)`)
	flag       = regexp.MustCompile(`(?:^|\s)(--?[a-z][a-z-]*)`)
)

// TestCommands asks the program for the help of every command that a page
// names, and looks for the flags that it is given there.
func TestCommands(t *testing.T) {
	program := binary(t)
	named := 0
	for _, page := range pages(t) {
		found, prose := blocks(t, page)
		code := inlineCode.FindAllString(prose, -1)
		for _, b := range found {
			if !b.is("output") {
				code = append(code, b.text)
			}
		}
		for _, text := range code {
			for _, use := range command.FindAllStringSubmatch(text, -1) {
				named++
				checkCommand(t, program, page, strings.Fields(use[1]), flag.FindAllStringSubmatch(" "+use[2], -1))
			}
		}
	}
	require.NotZero(t, named, "no page names a command")
}

func checkCommand(t *testing.T, program, page string, words []string, flags [][]string) {
	t.Helper()
	help, err := exec.Command(program, append(words, "--help")...).CombinedOutput()
	require.NoError(t, err, "%s: fhirgate %s: %s", page, strings.Join(words, " "), help)
	usage := regexp.MustCompile(`(?m)^  fhirgate ` + strings.Join(words, " ") + `\b`)
	if !usage.Match(help) {
		t.Errorf("%s names the command fhirgate %s, which does not exist", page, strings.Join(words, " "))
		return
	}
	for _, f := range flags {
		if !regexp.MustCompile(`(?m)^ .*` + regexp.QuoteMeta(f[1]) + `\b`).Match(help) {
			t.Errorf("%s: the command fhirgate %s has no %s", page, strings.Join(words, " "), f[1])
		}
	}
}
