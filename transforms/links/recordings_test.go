package links

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recordings are vendors' recorded answers, which some machines have beside
// the project: file, base URLs of the vendor's site.
var recordings = map[string][]string{
	"athenahealth.jsonl":   {"https://api.preview.platform.athenahealth.com/fhir/r4"},
	"eclinicalworks.jsonl": {"https://fhir4.healow.com/fhir/r4/JAFJCD", "http://fhir4.eclinicalworks.com/fhir/r4/JAFJCD"},
	"epic.jsonl":           {"https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4"},
}

func TestRecordings(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "recordings")
	if _, err := os.Stat(folder); err != nil {
		t.Log("no recordings beside the project: nothing compared")
		return
	}
	for file, bases := range recordings {
		f, err := os.Open(filepath.Join(folder, file))
		require.NoError(t, err)
		defer f.Close()
		m := &Map{Base: gateway}
		for _, base := range bases {
			m.Prefixes = append(m.Prefixes, Prefix{base, gateway})
		}
		answers, changed := 0, 0
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var answer struct{ Body string }
			require.NoError(t, json.Unmarshal(lines.Bytes(), &answer))
			if !strings.HasPrefix(strings.TrimSpace(answer.Body), "{") {
				_, err := Rewrite(nil, []byte(answer.Body), m)
				require.ErrorIs(t, err, ErrMalformed)
				continue
			}
			out, err := rewrite(t, answer.Body, m)
			require.NoError(t, err)
			answers++
			if out != answer.Body {
				changed++
			}
			compare(t, bases, answer.Body, out)
		}
		require.NoError(t, lines.Err())
		t.Logf("%s: %d answers compared, %d of them with locators of the hospital", file, answers, changed)
	}
}

// marked is an attachment URL that was relative.
var marked = regexp.MustCompile(regexp.QuoteMeta(gateway) + `/([^"#]*)` + relativeMark)

// compare checks the rewriting of a recorded answer by plain means: undoing it
// in the text gives the recording, byte for byte, and only strings whose name
// is a locator's differ.
func compare(t *testing.T, bases []string, in, out string) {
	t.Helper()
	undone := marked.ReplaceAllString(out, "$1")
	for _, base := range bases {
		if strings.Contains(in, base) {
			undone = strings.ReplaceAll(undone, gateway, base)
		}
	}
	require.Equal(t, in, undone)
	var before, after any
	require.NoError(t, json.Unmarshal([]byte(in), &before))
	require.NoError(t, json.Unmarshal([]byte(out), &after))
	same(t, bases, "", before, after)
}

// same walks both trees; only strings that a locator's name holds may differ.
func same(t *testing.T, bases []string, name string, before, after any) {
	t.Helper()
	switch before := before.(type) {
	case map[string]any:
		after := after.(map[string]any)
		require.Len(t, after, len(before))
		for key, value := range before {
			same(t, bases, key, value, after[key])
		}
	case []any:
		after := after.([]any)
		require.Len(t, after, len(before))
		for i, value := range before {
			same(t, bases, name, value, after[i])
		}
	case string:
		text := after.(string)
		moved := before
		for _, base := range bases {
			moved = strings.ReplaceAll(moved, base, gateway)
		}
		switch name {
		case "url", "fullUrl", "reference", "div", "diagnostics":
			if name == "url" && strings.HasPrefix(before, "Binary/") {
				moved = gateway + "/" + before + relativeMark
			}
			require.Equal(t, moved, text)
		default:
			require.Equal(t, before, text)
		}
	default:
		require.Equal(t, before, after)
	}
}
