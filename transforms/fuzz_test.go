package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/links"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// fuzzGateway is the gateway's address of the hospital, whose own is testBase:
// a short one, so that moving locators does not hide how much the rules add.
const fuzzGateway = "https://g.example/h"

// fuzzCalls are the kinds of calls that FuzzPacks makes.
var fuzzCalls = []fhir.Interaction{
	fhir.SearchType, fhir.Read, fhir.Update, fhir.Create, fhir.Patch, fhir.SearchSystem, fhir.HistoryType, fhir.Batch,
	fhir.ConditionalUpdate, fhir.ConditionalCreate, fhir.ConditionalPatch, fhir.Delete, fhir.Operation,
}

// composed is the kind from which on JSON is composed: the text, and behind it
// the seed, choose of what.
const composed = 64

// FuzzPacks takes any text through everything that the shipped rules do, and
// those of everyOperation: as an answer, an error, a body, a patch and a query.
// They end, never with half a text, and leave alone what they do not name.
func FuzzPacks(f *testing.F) {
	vendors, err := Load(Shipped, ".")
	require.NoError(f, err)
	names := slices.Sorted(maps.Keys(vendors))
	var all [][]byte
	for i, name := range names {
		texts := textsOf(f, name)
		all = append(all, texts...)
		for _, text := range texts {
			for kind := range 5 {
				f.Add(text, uint8(i), uint8(kind), uint64(kind))
			}
		}
	}
	every, problems := Parse("every.yaml", []byte(everyOperation))
	require.Empty(f, problems)
	dictionary := newDictionary(all)
	for seed := range uint64(300) {
		f.Add([]byte(nil), uint8(seed), uint8(composed+seed%100), seed)
	}
	f.Fuzz(func(t *testing.T, text []byte, vendor, kind uint8, seed uint64) {
		interaction := fuzzCalls[int(kind)%len(fuzzCalls)]
		if kind >= composed {
			text = dictionary.compose(slices.Concat(text, choices(text, seed)))
			through(t, every, text, interaction, seed)
		}
		through(t, vendors[names[int(vendor)%len(names)]], text, interaction, seed)
	})
}

// choices returns bytes that differ with every text and seed.
func choices(text []byte, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, uint64(crc32.ChecksumIEEE(text))))
	out := make([]byte, 100+random.IntN(1500))
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// through takes a text through all that a vendor's rules do in a call.
func through(t *testing.T, vendor *Vendor, text []byte, interaction fhir.Interaction, seed uint64) {
	t.Helper()
	types := []string{"Patient", "Appointment", "Encounter", "DocumentReference", "Observation", "CarePlan"}
	call := Call{Hospital: "h", Type: types[seed%uint64(len(types))], Interaction: interaction, Header: make(http.Header), Vars: make(map[string]string)}
	if typ := gjson.GetBytes(text, "resourceType").Str; fhir.IsResourceType(typ) && typ != "Bundle" {
		call.Type = typ
	}
	for _, name := range vendor.CheckVars(call.Hospital, nil, nil) {
		call.Vars[name] = "urn:example:" + name
	}
	if seed%2 == 0 {
		call.Header.Set("If-Match", `W/"1"`)
	}
	p := fuzzed{t, vendor, call, text, seed}
	p.answer()
	p.failure()
	p.request()
}

// textsOf returns the answers and bodies of a shipped file's tests.
func textsOf(f *testing.F, vendor string) (texts [][]byte) {
	data, err := fs.ReadFile(Shipped, vendor+testSuffix)
	require.NoError(f, err)
	var file testFile
	require.Empty(f, strict.Decode(vendor+testSuffix, data, &file).Problems())
	for _, test := range file.Tests {
		_, query, _ := strings.Cut(test.Request, "?")
		for _, text := range [][]byte{test.Answer.inline, test.WantAnswer.inline, test.Body.inline, []byte(query)} {
			if len(text) > 0 {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// fuzzed is one text on its way through the rules of one vendor.
type fuzzed struct {
	*testing.T
	vendor *Vendor
	call   Call
	text   []byte
	seed   uint64
}

// answer takes the text as an answer: whole, and cut anywhere.
func (p *fuzzed) answer() {
	locators := &links.Map{Base: fuzzGateway, Prefixes: []links.Prefix{{From: testBase, To: fuzzGateway}}}
	moved, err := links.Rewrite(nil, p.text, locators)
	if err != nil {
		return
	}
	status := []int{http.StatusOK, http.StatusOK, http.StatusNotFound, http.StatusForbidden}[p.seed%4]
	whole, wholeErr := p.rewritten(locators, status, func(m *links.Map) ([]byte, error) { return links.Rewrite(nil, p.text, m) })
	cut, cutErr := p.rewritten(locators, status, p.pieces)
	require.Equal(p, wholeErr == nil, cutErr == nil, "%v, %v", wholeErr, cutErr)
	if wholeErr != nil {
		return
	}
	require.Equal(p, string(whole), string(cut))
	p.sound(whole)
	again, err := links.Rewrite(nil, whole, locators)
	require.NoError(p, err)
	require.Equal(p, string(whole), string(again), "no locator is the hospital's")
	p.identities(moved, whole)
	if status == http.StatusOK {
		p.back(moved, whole)
	}
}

// back sends what the caller got back as an update: the hospital gets what it
// sent, but for white space, or nothing.
func (p *fuzzed) back(moved, out []byte) {
	if gjson.GetBytes(moved, "resourceType").Str != "Bundle" && gjson.GetBytes(moved, "entry").IsArray() {
		return // R4 has resources in the entries of Bundles alone
	}
	had, has := resourcesOf(moved), resourcesOf(out)
	require.Len(p, has, len(had))
	for i := range has {
		call := Call{Hospital: p.call.Hospital, Type: gjson.GetBytes(has[i], "resourceType").Str, Interaction: fhir.Update, Vars: p.call.Vars}
		if p.vendor.Lossy(call) != nil {
			continue
		}
		back, err := p.vendor.takenBack(call, recordedAt, has[i])
		require.NoError(p, err)
		require.Equal(p, string(compact(had[i])), string(compact(back)))
	}
}

// rewritten takes the answer through one pass with rules of its own.
func (p *fuzzed) rewritten(locators *links.Map, status int, pass func(m *links.Map) ([]byte, error)) ([]byte, error) {
	rules := p.vendor.Answer(p.call, "patient=1&_count=10", status, fuzzGateway, recordedAt)
	defer rules.Release()
	m := *locators
	m.Edit = rules.Edit()
	return pass(&m)
}

// pieces writes the text cut at places that the seed chooses.
func (p *fuzzed) pieces(m *links.Map) ([]byte, error) {
	for {
		var (
			out    bytes.Buffer
			w      = links.NewWriter(&out, m)
			random = rand.New(rand.NewPCG(p.seed, 7))
			err    error
		)
		for rest := p.text; len(rest) > 0 && err == nil; {
			n := 1 + random.IntN(len(rest))
			_, err = w.Write(rest[:n])
			rest = rest[n:]
		}
		if closed := w.Close(); err == nil {
			err = closed
		}
		var signed *links.SignedError
		if !errors.As(err, &signed) {
			return out.Bytes(), err
		}
		m.Frozen = append(m.Frozen, signed.Offset)
	}
}

// sound checks what comes out of valid JSON.
func (p *fuzzed) sound(out []byte) {
	p.Helper()
	require.True(p, json.Valid(out), "%s", out)
	require.LessOrEqual(p, len(out), 4*len(p.text)+64<<10)
}

// identities checks that what identifies something, unlike what leads to it, is
// none that the hospital did not send.
func (p *fuzzed) identities(before, after []byte) {
	p.Helper()
	had := identitiesOf(before)
	for identity, n := range identitiesOf(after) {
		if identity == `extension.url="urn:fhirgate:own"` || strings.HasPrefix(identity, "identifier.system=") && p.namesSystems() {
			continue
		}
		require.LessOrEqual(p, n, had[identity], identity)
	}
}

// namesSystems reports whether a rule of the vendor changes identifiers.
func (p *fuzzed) namesSystems() bool {
	return slices.ContainsFunc(p.vendor.answers, func(r *answerRule) bool {
		return slices.ContainsFunc(r.resources, func(o resource.Operation) bool {
			return slices.ContainsFunc(o.Paths(), func(path tree.Path) bool { return path.Top() == "identifier" })
		})
	})
}

// identitiesOf counts the profiles, URLs of extensions and systems of
// identifiers in a JSON text.
func identitiesOf(text []byte) counts {
	found := make(counts)
	eachScalar(text, func(d *tree.Doc, n tree.Node, names []string) {
		if len(names) < 2 {
			return
		}
		switch place := names[len(names)-2] + "." + last(names); place {
		case "meta.profile", "extension.url", "modifierExtension.url", "identifier.system":
			found[place+"="+string(d.Raw(n))]++
		}
	})
	return found
}

// failure takes the text as an error, and as a success that may be none.
func (p *fuzzed) failure() {
	header := http.Header{"Retry-After": {""}, "X-Ms-Retry-After-Ms": {string(p.text)}}
	for _, status := range []int{400, 403, 404, 409, 410, 429, 503} {
		meant := p.vendor.Refuse(p.call, "patient=1", status, header, p.text, recordedAt)
		require.True(p, meant.Status >= 400 && meant.Status <= 599)
		require.GreaterOrEqual(p, meant.RetryAfter, time.Duration(0))
	}
	p.refusal(p.vendor.Succeeded(p.call, "patient=1", http.StatusOK, p.text))
}

// refusal checks that an error is one that a caller can read.
func (p *fuzzed) refusal(err error) {
	p.Helper()
	var refusal *fhir.Error
	require.True(p, err == nil || errors.As(err, &refusal))
}

// request takes the text as the query of a call, and as its body.
func (p *fuzzed) request() {
	asked, err := p.vendor.Apply(p.call, string(p.text), make(http.Header))
	p.refusal(err)
	require.LessOrEqual(p, len(asked.Query), 4*len(p.text)+64<<10)
	p.refusal(p.vendor.ApplyHeaders(p.call, make(http.Header)))
	if _, err := links.Rewrite(nil, p.text, &links.Map{}); err != nil {
		return
	}
	env := resource.Call{
		Now:       recordedAt,
		Bases:     []string{testBase},
		Header:    make(http.Header),
		SetHeader: func(string, string) {},
		Context:   context.Background(),
		Fetch: func(context.Context, string) (string, []byte, error) {
			if p.seed%3 == 0 {
				return "", nil, errors.New("nothing there")
			}
			return "text/plain", []byte("x"), nil
		},
	}
	if bytes.HasPrefix(bytes.TrimSpace(p.text), []byte("{")) {
		out, _, err := p.vendor.Body(p.call, env, p.text)
		if p.refusal(err); err == nil {
			p.sound(out)
		}
		return
	}
	env.Vars, env.Zone = p.call.Vars, p.call.zone()
	out, _, err := p.vendor.Patch(p.call, env, p.text)
	if p.refusal(err); err == nil {
		p.sound(out)
	}
}
