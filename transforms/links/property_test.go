package links

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// author writes random resources in which \x01 stands for the hospital's base
// in a locator and \x02 for the same base in an identity.
type author struct {
	*rand.Rand
	strings.Builder
	signed int // depth of signed Bundles: in them every base is an identity
}

func (a *author) base() string {
	if a.signed > 0 {
		return "\x02"
	}
	return "\x01"
}

// members are what an element may have; %L is a base in a locator, %I one in
// an identity, %E an element, %R a resource, %N a number, %S white space.
var members = []string{
	`"subject":{"reference":"%L/Patient/%N"}`,
	`"author":[{"reference":"Practitioner/%N"},{"display":"%I","reference":"%L/Practitioner/%N"}]`,
	`"identifier":[{"system":"%I/mrn","value":"%N"}]`,
	`"extension":[{"url":"%I/x","valueReference":%S{"reference":"%L/Group/%N"}},{"url":"%I/y","valueUri":"%I"}]`,
	`"meta":%S{"profile":["%I/p"],"source":"%I#a"}`,
	`"photo":[{"url":"%L/Binary/%N"},{"url":"data:,%I"},{"extension":[{"url":"%I"}]}]`,
	`"valueAttachment":{"title":"%I","url":"%L/Binary/%N?a=\u0026\/"}`,
	`"valueUrl":"%L","valueCanonical":"%I/ValueSet/%N","valueString":"%I"`,
	`"text":{"status":"generated","div":"<div>%L/Patient/%N \"%L\" %Ix<br\/>%L</div>"}`,
	`"issue":[{"diagnostics":"%L/x","location":["%I"]}]`,
	`"relatedArtifact":[{"url":"%L/a","resource":"%I/b"}]`,
	`"link":[{"relation":"self","url":"%L?a"},{"url":"%L/b","relation":"next"},{"other":{"reference":"Patient/%N"}}]`,
	`"entry":%S[{"fullUrl":"%L/x/%N","link":[{"relation":"self","url":"%L/x"}],"resource":%R,"response":{"location":"%L/x"}},{"request":{"url":"%L/y"}}]`,
	`"contained":[%R,%R]`,
	`"a":%S{%E},"b":[%N,{%E},[],"%I/Patient/1",null,true]`,
	`"implementation":{"url":"%L"},"url":"%I","address":"%L"`,
	`"n":-0.%N00e+1,"m":1.0,"o":false`,
}

func (a *author) resource(deep int) {
	signature := a.IntN(12)
	if signature < 2 {
		a.signed++
	}
	a.WriteString("{")
	if signature == 0 {
		a.WriteString(`"signature":[],`)
	}
	typed := func() {
		if signature < 2 {
			a.WriteString(`"resourceType":"Bundle"`)
		} else {
			a.WriteString(`"resourceType":"Basic"`)
		}
	}
	first := a.IntN(2) == 0
	if first {
		typed()
		a.WriteString(",")
	}
	a.element(deep)
	if signature == 1 {
		a.WriteString(`,"signature":{"who":{"reference":"` + "\x02" + `"}}`)
	}
	if !first {
		a.WriteString(",")
		typed()
	}
	a.WriteString("}")
	if signature < 2 {
		a.signed--
	}
}

func (a *author) element(deep int) {
	for n := range 1 + a.IntN(4) {
		if n > 0 {
			a.WriteString(",")
		}
		pick := members[a.IntN(len(members))]
		if deep <= 0 {
			pick = members[a.IntN(11)]
		}
		for {
			text, rest, found := strings.Cut(pick, "%")
			a.WriteString(text)
			if !found {
				break
			}
			switch rest[0] {
			case 'L':
				a.WriteString(a.base())
			case 'I':
				a.WriteString("\x02")
			case 'E':
				a.element(deep - 1)
			case 'R':
				a.resource(deep - 1)
			case 'N':
				fmt.Fprint(a, a.IntN(100)+1)
			case 'S':
				a.WriteString([]string{"", " ", "\n\t  ", "\r\n                 "}[a.IntN(4)])
			}
			pick = rest[1:]
		}
	}
}

// TestProperty knows what each answer must become without the machine: the
// author says which base is a locator's.
func TestProperty(t *testing.T) {
	bases := func(text, locator string) string {
		return strings.NewReplacer("\x01", locator, "\x02", hospital).Replace(text)
	}
	for seed := range uint64(3000) {
		a := &author{Rand: rand.New(rand.NewPCG(seed, 1))}
		a.resource(4)
		src, want := bases(a.String(), hospital), bases(a.String(), gateway)
		require.True(t, json.Valid([]byte(src)), "seed %d: %s", seed, src)

		out, err := Rewrite(nil, []byte(src), toGateway())
		require.NoError(t, err)
		require.Equal(t, want, string(out), "seed %d", seed)
		cut, err := pieces(src, toGateway(), someBytes(len(src), seed)...)
		require.NoError(t, err)
		require.Equal(t, want, cut, "seed %d", seed)

		back, err := pieces(want, toHospital(), someBytes(len(want), seed)...)
		require.NoError(t, err)
		require.Equal(t, src, back, "seed %d: what was read goes back as it was", seed)
	}
}

// TestLongText streams narratives longer than what is held back.
func TestLongText(t *testing.T) {
	words := []string{"\x01", "\x01/Patient/1", "http", "https://ehr.st-mary.", `\"`, `\\`, `\\\\\"`, ` `, `\n`, "text", `\/`}
	for seed := range uint64(40) {
		if seed == 20 {
			words = append(words, `\u003c`, `\\u0068`, `\u00e9`)
		}
		random := rand.New(rand.NewPCG(seed, 2))
		var b strings.Builder
		for b.Len() < 1200 {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteString([]string{" ", `\"`, `\\`, `\n`}[random.IntN(4)])
		}
		text := `{"text":{"div":"` + b.String() + `"}}`
		src, want := strings.ReplaceAll(text, "\x01", hospital), strings.ReplaceAll(text, "\x01", gateway)
		out, err := Rewrite(nil, []byte(src), toGateway())
		require.NoError(t, err)
		require.Equal(t, want, string(out))
		for cut := range uint64(40) {
			out, err := pieces(src, toGateway(), someBytes(len(src), seed*40+cut)...)
			require.NoError(t, err)
			require.Equal(t, want, out)
		}
		cut, err := pieces(src, toGateway(), everyByte(len(src))...)
		require.NoError(t, err)
		require.Equal(t, want, cut)
	}
}

// TestTruncation ends a searchset at every byte: none passes as whole.
func TestTruncation(t *testing.T) {
	src := searchset(2, 600)
	for end := range len(src) {
		_, err := Rewrite(nil, []byte(src[:end]), toGateway())
		require.ErrorIs(t, err, ErrTruncated, "byte %d", end)
		_, err = pieces(src[:end], toGateway(), someBytes(end, 3)...)
		require.ErrorIs(t, err, ErrTruncated, "byte %d", end)
	}
}
