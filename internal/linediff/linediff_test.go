package linediff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnified(t *testing.T) {
	letters := strings.Split("abcdefghijklmnopqrstuvwxyz", "")
	joined := func(change func([]string) []string) string {
		return strings.Join(change(append([]string{}, letters...)), "\n") + "\n"
	}
	same := func(l []string) []string { return l }
	for name, tc := range map[string]struct{ a, b, want string }{
		"equal":         {"a\n", "a\n", ""},
		"from nothing":  {"", "a\n", "@@ -0,0 +1 @@\n+a\n"},
		"to nothing":    {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		"all":           {"a\nb\n", "c\n", "@@ -1,2 +1 @@\n-a\n-b\n+c\n"},
		"in the middle": {"a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		"insert":        {"a\nc\n", "a\nb\nc\n", "@@ -1,2 +1,3 @@\n a\n+b\n c\n"},
		"moved":         {"a\nb\nc\n", "b\nc\na\n", "@@ -1,3 +1,3 @@\n-a\n b\n c\n+a\n"},
		"two hunks": {
			joined(same), joined(func(l []string) []string { l[1], l[20] = "B", "U"; return l }),
			"@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n e\n@@ -18,7 +18,7 @@\n r\n s\n t\n-u\n+U\n v\n w\n x\n",
		},
		"near changes share a hunk": {
			joined(same), joined(func(l []string) []string { l[1], l[8] = "B", "I"; return l }),
			"@@ -1,12 +1,12 @@\n a\n-b\n+B\n c\n d\n e\n f\n g\n h\n-i\n+I\n j\n k\n l\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := tc.want
			if want != "" {
				want = "--- old\n+++ new\n" + want
			}
			require.Equal(t, want, Unified("old", "new", tc.a, tc.b))
		})
	}
}

func TestManyChangesAreShownAsOne(t *testing.T) {
	var a, b strings.Builder
	for i := range 2 * maxEdits {
		fmt.Fprintln(&a, "a", i)
		fmt.Fprintln(&b, "b", i)
	}
	require.True(t, strings.HasPrefix(Unified("a", "b", a.String(), b.String()), "--- a\n+++ b\n@@ -1,2000 +1,2000 @@\n-a 0\n-a 1\n"))
}

// FuzzUnified checks that what a diff keeps and removes is a, and what it keeps
// and adds is b.
func FuzzUnified(f *testing.F) {
	f.Add("abc", "axc")
	f.Add("", "q")
	f.Add("abcabba", "cbabac")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := strings.Split(a, ""), strings.Split(b, "")
		var gotA, gotB []string
		for _, e := range script(x, y) {
			if e.kind != '+' {
				gotA = append(gotA, e.text)
			}
			if e.kind != '-' {
				gotB = append(gotB, e.text)
			}
		}
		require.Equal(t, strings.Join(x, ""), strings.Join(gotA, ""))
		require.Equal(t, strings.Join(y, ""), strings.Join(gotB, ""))
	})
}
