package jsontext

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSkip(t *testing.T) {
	for _, value := range []string{
		`{}`, `[]`, `""`, `"a\"]}\\"`, `-1.50e+3`, `true`, `null`, `{"a":[1,{"b":"}]"}],"c\"":"\\"}`, "[ 1 ,\n{} ]", `"12345678\"90123456\\"`,
	} {
		for _, after := range []string{"", ",1", "}", "]", " \n"} {
			require.Equal(t, len(value), Skip([]byte(value+after), 0), value)
		}
	}
}

// FuzzStrings compares the reading and writing of strings with the standard
// library's.
func FuzzStrings(f *testing.F) {
	for _, text := range []string{`"a"`, `"\u00e9\ud83d\ude00\/\b"`, `"\ud83d"`, `"ab\x"`, "\"\x01\"", `"12345678`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || raw[0] != '"' {
			return
		}
		end, how, _ := Scan(raw, 1)
		if whole := how == Closed && end == len(raw)-1; whole != (json.Valid(raw) && raw[len(raw)-1] == '"') {
			t.Fatalf("%q: %v, %d", raw, how, end)
		} else if !whole {
			return
		}
		require.Equal(t, len(raw), Skip(raw, 0))
		var want string
		require.NoError(t, json.Unmarshal(raw, &want))
		text := string(Unescape(nil, raw[1:end]))
		again, err := json.Marshal(text) // where the raw bytes are no UTF-8 both stand for U+FFFD
		require.NoError(t, err)
		var got string
		require.NoError(t, json.Unmarshal(again, &got))
		require.Equal(t, want, got)

		var quoted string
		require.NoError(t, json.Unmarshal([]byte(`"`+Quote(want)+`"`), &quoted))
		require.Equal(t, want, quoted)
	})
}
