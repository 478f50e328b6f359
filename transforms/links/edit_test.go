package links

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// edited is what the tests' edit does: Patients get a member, Groups go, an
// OperationOutcome as an entry goes.
func edited() *Edit {
	return &Edit{
		Holds: func(typ string) bool { return typ == "Patient" || typ == "Group" || typ == "OperationOutcome" },
		Resource: func(text []byte, entry int, _ string) ([]byte, error) {
			switch {
			case bytes.Contains(text, []byte(`"Fault"`)):
				return nil, errors.New("a rule failed")
			case entry >= 0 && (bytes.Contains(text, []byte(`"Group"`)) || bytes.Contains(text, []byte(`"OperationOutcome"`))):
				return nil, nil
			case bytes.Contains(text, []byte(`"Patient"`)):
				changed := bytes.Replace(text, []byte(`"Patient"`), fmt.Appendf(nil, `"Patient","entry":%d`, entry), 1)
				return changed, nil
			}
			return text, nil
		},
		DropTotal: true,
	}
}

var editCases = []struct{ name, text, want string }{
	{"a resource that is wanted", ` {"resourceType":"Patient", "a" : 1.0} `, ` {"resourceType":"Patient","entry":-1, "a" : 1.0} `},
	{"one that is not", `{"resourceType":"Basic","a":1.0}`, `{"resourceType":"Basic","a":1.0}`},
	{"its type last", `{"a":1.0,"resourceType":"Patient"}`, `{"a":1.0,"resourceType":"Patient","entry":-1}`},
	{"its locators are moved first", `{"resourceType":"Patient","m":{"reference":"` + hospital + `/Patient/1"}}`, `{"resourceType":"Patient","entry":-1,"m":{"reference":"` + gateway + `/Patient/1"}}`},
	{
		"entries",
		`{"resourceType":"Bundle","entry":[{"fullUrl":"` + hospital + `/Patient/1","resource":{"resourceType":"Patient"}}, {"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Patient"}}]}`,
		`{"resourceType":"Bundle","entry":[{"fullUrl":"` + gateway + `/Patient/1","resource":{"resourceType":"Patient","entry":0}}, {"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Patient","entry":2}}]}`,
	},
	{"the first entry goes", `{"resourceType":"Bundle","entry":[ {"resource":{"resourceType":"Group"}} , {"resource":{"resourceType":"Basic","x":{"reference":"` + hospital + `/A/1"}}} ],"a":1}`, `{"resourceType":"Bundle","entry":[   {"resource":{"resourceType":"Basic","x":{"reference":"` + gateway + `/A/1"}}} ],"a":1}`},
	{"the last entry goes", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Group"}}]}`, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}}]}`},
	{"one between goes", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Group"}},{"resource":{"resourceType":"Patient"}}]}`, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Patient","entry":2}}]}`},
	{"all entries go", `{"resourceType":"Bundle", "entry":[{"resource":{"resourceType":"Group"}},{"resource":{"resourceType":"OperationOutcome"}}],"a":1}`, `{"resourceType":"Bundle","a":1}`},
	{"all entries of a Bundle that begins with them go", `{"entry":[{"resource":{"resourceType":"Group"}}] , "resourceType":"Bundle","a":1}`, `{  "resourceType":"Bundle","a":1}`},
	{"all entries go before the type", `{"a":1,"entry":[{"resource":{"resourceType":"Group"}}],"resourceType":"Bundle"}`, `{"a":1,"resourceType":"Bundle"}`},
	{"no entries", `{"resourceType":"Bundle","entry":[]}`, `{"resourceType":"Bundle","entry":[]}`},
	{"an entry without a resource", `{"resourceType":"Bundle","entry":[{"response":{"status":"200"}},null,1]}`, `{"resourceType":"Bundle","entry":[{"response":{"status":"200"}},null,1]}`},
	{"what is no entry after one that goes", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Group"}},null , "x",[1],{"resource":{"resourceType":"Group"}}]}`, `{"resourceType":"Bundle","entry":[null , "x",[1]]}`},
	{"a total that is none, of a root without a type", `{"a":"` + strings.Repeat("long", 300) + `","total":{}}`, `{"a":"` + strings.Repeat("long", 300) + `","total":{}}`},
	{"a total", `{"resourceType":"Bundle","total":50,"type":"searchset"}`, `{"resourceType":"Bundle","type":"searchset"}`},
	{"a total at the end", `{"resourceType":"Bundle","type":"searchset", "total" : 50 }`, `{"resourceType":"Bundle","type":"searchset" }`},
	{"a total before the type", `{"total":50,"entry":[{"resource":{"a":1,"resourceType":"Patient"}}],"resourceType":"Bundle"}`, `{"entry":[{"resource":{"a":1,"resourceType":"Patient","entry":0}}],"resourceType":"Bundle"}`},
	{"another type's total", `{"resourceType":"Claim","total":{"value":1.0}}`, `{"resourceType":"Claim","total":{"value":1.0}}`},
	{"a total further down", `{"resourceType":"Bundle","a":{"total":1},"entry":[{"total":2}]}`, `{"resourceType":"Bundle","a":{"total":1},"entry":[{"total":2}]}`},
	{"a list's entries", `{"resourceType":"List","entry":[{"resource":{"resourceType":"Group"}}]}`, `{"resourceType":"List","entry":[{"resource":{"resourceType":"Group"}}]}`},
	{"a signed Bundle", `{"resourceType":"Bundle","total":1,"entry":[{"resource":{"resourceType":"Group"}}],"signature":{}}`, `{"resourceType":"Bundle","total":1,"entry":[{"resource":{"resourceType":"Group"}}],"signature":{}}`},
}

func (c editMode) apply(m *Map, text string, piece int) (string, error) {
	if c == whole {
		out, err := Rewrite(nil, []byte(text), m)
		return string(out), err
	}
	var b bytes.Buffer
	w := NewWriter(&b, m)
	for at := 0; at < len(text); at += piece {
		if _, err := w.Write([]byte(text[at:min(at+piece, len(text))])); err != nil {
			_ = w.Close()
			return b.String(), err
		}
	}
	err := w.Close()
	return b.String(), err
}

type editMode bool

const (
	whole    editMode = true
	byPieces editMode = false
)

func TestEdit(t *testing.T) {
	for _, c := range editCases {
		t.Run(c.name, func(t *testing.T) {
			m := toGateway()
			m.Edit = edited()
			got, err := whole.apply(m, c.text, 0)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.True(t, json.Valid([]byte(got)))
			for piece := 1; piece < len(c.text); piece++ {
				got, err := byPieces.apply(m, c.text, piece)
				var signed *SignedError
				if errors.As(err, &signed) { // begun again, as the facade does
					again := *m
					again.Frozen = []int64{signed.Offset}
					got, err = byPieces.apply(&again, c.text, piece)
				}
				require.NoError(t, err, piece)
				require.Equal(t, c.want, got, piece)
			}
		})
	}
}

func TestEditOfLines(t *testing.T) {
	var text, want strings.Builder
	for i, c := range editCases {
		if strings.Contains(c.text, "signature") {
			continue
		}
		end := []string{"\n", "\r\n", "\n\n"}[i%3]
		text.WriteString(c.text + end)
		want.WriteString(c.want + end)
	}
	m := toGateway()
	m.Edit, m.Lines = edited(), true
	for _, piece := range []int{1, 7, 100, 1 << 20} {
		got, err := byPieces.apply(m, text.String(), piece)
		require.NoError(t, err)
		require.Equal(t, want.String(), got)
	}
	for _, text := range []string{"", "\n", "{}\n[]"} {
		got, err := byPieces.apply(m, text, 1)
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	for _, text := range []string{"{}\n{", "{}\n{\"resourceType\":\"Patient\",\"a\":", "{}\n{\"resourceType\":\"Patient\"}\n[1"} {
		for piece := 1; piece <= len(text); piece++ {
			_, err := byPieces.apply(m, text, piece)
			require.ErrorIs(t, err, ErrTruncated, "half a line is no line")
		}
		_, err := whole.apply(m, text, 0)
		require.ErrorIs(t, err, ErrTruncated)
	}
}

func TestEditThatFails(t *testing.T) {
	m := toGateway()
	m.Edit = edited()
	for text, want := range map[string]string{
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}},{"resource":{"resourceType":"Patient","a":"Fault"}}]}`: "Bundle.entry[1]",
		`{"resourceType":"Patient","a":"Fault"}`:                                     "Patient",
		`{"entry":[{"resource":{"resourceType":"Basic"}}],"resourceType":"Group"}`:   "$.resourceType",
		`{"entry":[{"resource":{"resourceType":"Patient"}}],"resourceType":"Basic"}`: "$.resourceType",
	} {
		for _, piece := range []int{1, 5, len(text)} {
			out, err := byPieces.apply(m, text, piece)
			var place *Error
			require.ErrorAs(t, err, &place)
			require.Equal(t, want, strings.NewReplacer("Group.", "$.", "Basic.", "$.").Replace(place.Path))
			require.NotContains(t, out, "Fault")
		}
	}
}

func TestEditBoundsWhatItHolds(t *testing.T) {
	m := toGateway()
	m.Edit = edited()
	data := strings.Repeat("A", maxHeld+(8<<20))
	for text, bounded := range map[string]bool{
		`{"resourceType":"Patient","a":"` + data + `"}`:                                                  true,
		`{"resourceType":"Basic","a":"` + data + `"}`:                                                    false,
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","a":"` + data + `"}}]}`: true,
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic","a":"` + data + `"}}]}`:   false,
		`{"a":"` + data + `","resourceType":"Basic"}`:                                                    true,
	} {
		for _, mode := range []editMode{whole, byPieces} {
			_, err := mode.apply(m, text, 1<<20)
			if bounded && !(mode == whole && strings.HasPrefix(text, `{"a"`)) {
				require.ErrorIs(t, err, errTooLarge)
			} else {
				require.NoError(t, err)
			}
		}
	}
}

func TestNextLink(t *testing.T) {
	const added = `{"relation":"next","url":"` + gateway + `/n"}`
	for text, want := range map[string]string{
		`{"resourceType":"Bundle","link":[{"relation":"self","url":"` + hospital + `/s"}],"entry":[]}`:                                     `{"resourceType":"Bundle","link":[{"relation":"self","url":"` + gateway + `/s"},` + added + `],"entry":[]}`,
		`{"resourceType":"Bundle","link":[{"relation":"self","url":"` + hospital + `/s"},{"url":"` + hospital + `/n","relation":"next"}]}`: `{"resourceType":"Bundle","link":[{"relation":"self","url":"` + gateway + `/s"},{"url":"` + gateway + `/n","relation":"next"}]}`,
		`{"resourceType":"Bundle","link":[]}`: `{"resourceType":"Bundle","link":[` + added + `]}`,
		`{"link":[]}`:                         `{"link":[` + added + `]}`,
		`{"resourceType":"Bundle" }`:          `{"resourceType":"Bundle" ,"link":[` + added + `]}`,
		`{"resourceType":"Patient"}`:          `{"resourceType":"Patient","entry":-1}`,
		`{"resourceType":"Bundle","entry":[{"link":[{"relation":"next","url":"x"}],"resource":{"resourceType":"Basic","link":[{}]}}]}`: `{"resourceType":"Bundle","entry":[{"link":[{"relation":"next","url":"` + gateway + `/x"}],"resource":{"resourceType":"Basic","link":[{}]}}],"link":[` + added + `]}`,
	} {
		m := toGateway()
		m.Edit = edited()
		m.Edit.Next = func() (string, error) { return gateway + "/n", nil }
		for piece := 1; piece <= len(text); piece++ {
			got, err := byPieces.apply(m, text, piece)
			require.NoError(t, err)
			require.Equal(t, want, got, piece)
		}
		m.Edit.Next = func() (string, error) { return "", nil }
		_, err := byPieces.apply(m, text, 3)
		require.NoError(t, err)
	}
	m := toGateway()
	m.Edit = &Edit{Holds: func(string) bool { return false }, Next: func() (string, error) { return "n", nil }}
	for text, ok := range map[string]bool{
		`{"link":[{"relation":"self","url":"x"}],"entry":[],"resourceType":"Bundle"}`: true,
		`{"link":[{"relation":"self","url":"x"}],"resourceType":"Patient"}`:           false,
	} {
		_, err := Rewrite(nil, []byte(text), m)
		require.Equal(t, ok, err == nil, "a link is added to Bundles only: %v", err)
	}
}

// TestASignedBundleInAnEntryThatIsCut has a text end within an entry that was
// found to hold a signed Bundle: it is read again, and what follows is edited.
func TestASignedBundleInAnEntryThatIsCut(t *testing.T) {
	m := toGateway()
	m.Edit = edited()
	signed := `{"resource":{"entry":[],"signature":{},"resourceType":"Bundle","long":"` + strings.Repeat("x", 100) + `"}}`
	patient := `{"fullUrl":"` + hospital + `/Patient/1","resource":{"resourceType":"Patient"}}`
	text := `{"resourceType":"Bundle","entry":[` + signed + `,` + patient + `]}`
	want, err := whole.apply(m, text, 0)
	require.NoError(t, err)
	require.Contains(t, want, gateway+`/Patient/1","resource":{"resourceType":"Patient","entry":1}`)
	for piece := 1; piece < len(text); piece++ {
		got, err := byPieces.apply(m, text, piece)
		require.NoError(t, err)
		require.Equal(t, want, got, "in pieces of %d", piece)
	}
}

// TestLinesKnowNothingOfOneAnother has a line end with a member whose name, if
// the next line hung on it, would make a canonical URL an attachment's.
func TestLinesKnowNothingOfOneAnother(t *testing.T) {
	m := toGateway()
	m.Lines = true
	for _, name := range []string{"image", "request", "output", "link", "entry"} {
		text := `{"resourceType":"Basic","` + name + `":"x"}` + "\n" + `{"resourceType":"Questionnaire","url":"` + hospital + `/Questionnaire/1"}` + "\n"
		for piece := 1; piece <= len(text); piece++ {
			got, err := byPieces.apply(m, text, piece)
			require.NoError(t, err)
			require.Equal(t, text, got, name)
		}
	}
}

func TestASignedBundleFailsWhereItsEntriesMustBeSeen(t *testing.T) {
	refused := errors.New("refused")
	m := &Map{Edit: &Edit{Holds: func(string) bool { return true }, Resource: func(text []byte, _ int, _ string) ([]byte, error) { return text, nil }, Signed: refused}}
	for _, text := range []string{
		`{"resourceType":"Bundle","signature":{},"entry":[{"resource":{"resourceType":"Patient"}}]}`,
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}],"signature":{}}`,
	} {
		_, err := Rewrite(nil, []byte(text), m)
		require.ErrorIs(t, err, refused)
	}
	_, err := Rewrite(nil, []byte(`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Bundle","signature":{},"entry":[]}}]}`), m)
	require.NoError(t, err, "an entry is seen whole")
}

func TestSeenIsToldEveryReference(t *testing.T) {
	var seen []string
	m := &Map{Seen: func(url []byte) { seen = append(seen, string(url)) }}
	_, err := Rewrite(nil, []byte(`{"resourceType":"Bundle","link":[{"relation":"self","url":"x"}],"entry":[{"fullUrl":"https://e/Patient/1","resource":{"resourceType":"Observation","subject":{"reference":"Patient\/1"}},"response":{"location":"Patient/1/_history/2"}}]}`), m)
	require.NoError(t, err)
	require.Equal(t, []string{"https://e/Patient/1", "Patient/1", "Patient/1/_history/2"}, seen)
}

func TestEveryEntryIsSeenWhenAsked(t *testing.T) {
	var seen []int
	m := &Map{Edit: &Edit{Every: true, Holds: func(string) bool { return true }, Resource: func(text []byte, entry int, _ string) ([]byte, error) {
		seen = append(seen, entry)
		return text, nil
	}}}
	text := `{"resourceType":"Bundle","entry":[{"response":{"status":"201"}},{"resource":{"id":"x"}},{"resource":{"resourceType":"Patient"}},{}]}`
	out, err := Rewrite(nil, []byte(text), m)
	require.NoError(t, err)
	require.Equal(t, text, string(out))
	require.Equal(t, []int{0, 1, 2, 3}, seen)
	seen = nil
	_, err = Rewrite(nil, []byte(`{"id":"x"}`), m)
	require.NoError(t, err)
	require.Equal(t, []int{-1}, seen)
}

func TestWhatWouldNotBeSeenFails(t *testing.T) {
	every := edited()
	every.Every = true
	const entry = `{"resource":{"resourceType":"Patient"}}`
	for text, fails := range map[string]bool{
		`[{"resourceType":"Patient"}]`: true,
		`[]`:                           true,
		`{"resourceType":"Bundle","entry":` + entry + `}`:      true,
		`{"entry":` + entry + `,"resourceType":"Bundle"}`:      true,
		`{"resourceType":"Bundle","entry":[[` + entry + `]]}`:  true,
		`{"resourceType":"Bundle","entry":[` + entry + `]}`:    false,
		`{"resourceType":"List","entry":{"a":[[1]]}}`:          false,
		`{"resourceType":"Basic","a":[[{}]],"b":{"entry":{}}}`: false,
	} {
		_, err := Rewrite(nil, []byte(text), &Map{Edit: every})
		require.Equal(t, fails, errors.Is(err, ErrMalformed), "%s: %v", text, err)
		_, err = Rewrite(nil, []byte(text), &Map{Edit: edited()})
		require.NoError(t, err, text)
	}
}

func TestAnArrayIsNotTheBundleBeforeIt(t *testing.T) {
	m := toGateway()
	m.Edit = edited()
	m.Edit.Next = func() (string, error) { return gateway + "/next", nil }
	for range 20 { // machines are pooled
		_, err := Rewrite(nil, []byte(`{"resourceType":"Bundle","entry":[]}`), m)
		require.NoError(t, err)
		out, err := Rewrite(nil, []byte(`[0,0,0]`), m)
		require.NoError(t, err)
		require.Equal(t, `[0,0,0]`, string(out))
	}
}
