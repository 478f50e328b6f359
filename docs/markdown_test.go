package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// block is a fenced block of a page.
type block struct {
	line int      // of its first fence
	info []string // the words behind the fence: language first
	text string
}

// is reports whether the info string begins with words.
func (b block) is(words ...string) bool {
	return len(b.info) >= len(words) && strings.Join(b.info[:len(words)], " ") == strings.Join(words, " ")
}

// has reports whether one of the words behind the language is word.
func (b block) has(word string) bool {
	for _, w := range b.info[min(1, len(b.info)):] {
		if w == word {
			return true
		}
	}
	return false
}

// pages returns the paths of README and its fellows and of all pages here.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		found = append(found, paths...)
	}
	require.NotEmpty(t, found)
	return found
}

func read(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(data)
}

// blocks returns the fenced blocks of a page and its prose, in which they are
// empty lines.
func blocks(t *testing.T, page string) (found []block, prose string) {
	t.Helper()
	var lines []string
	var open *block
	for i, line := range strings.Split(read(t, page), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{line: i + 1, info: strings.Fields(fence)}
			line = ""
		case isFence:
			found = append(found, *open)
			open, line = nil, ""
		case open != nil:
			open.text += line + "\n"
			line = ""
		}
		lines = append(lines, line)
	}
	require.Nil(t, open, "%s: a fence is not closed", page)
	return found, strings.Join(lines, "\n")
}

// pattern returns what output must match: the same lines, in which "…" stands
// for anything, and a line "…" for any lines.
func pattern(output string) *regexp.Regexp {
	var p strings.Builder
	p.WriteString(`\A`)
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, " \n")
		if line == "…" {
			p.WriteString(`(?:.*\n)*?`)
			continue
		}
		for i, part := range strings.Split(line, "…") {
			if i > 0 {
				p.WriteString(`.*?`)
			}
			p.WriteString(regexp.QuoteMeta(part))
		}
		p.WriteString(` *\n`)
	}
	return regexp.MustCompile(p.String() + `\z`)
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		output, got string
		want        bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a  \n", true},
		{"a\n", "b\n", false},
		{"a\n", "a\nb\n", false},
		{"a…c\n", "abbc\n", true},
		{"a…c\n", "a\nc\n", false},
		{"a.c\n", "abc\n", false},
		{"a\n…\nd\n", "a\nb\nc\nd\n", true},
		{"a\n…\nd\n", "a\nd\n", true},
		{"a\n…\nd\n", "a\nb\n", false},
	} {
		require.Equal(t, c.want, pattern(c.output).MatchString(c.got), "%q with %q", c.output, c.got)
	}
}
