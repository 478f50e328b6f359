package facade

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"fhirgate/fhir"
	"fhirgate/policies/smart"
	"fhirgate/transforms"
)

// batch is what adapt found in a batch or transaction.
type batch struct {
	entries []batchEntry        // all that the caller sent
	refused map[int]*fhir.Error // entries that go no further, by their index; of a batch only
	sent    []transforms.Call   // what the entries that go to the hospital ask for, in their order
	places  []int               // likewise, which of all entries they are
}

// batchEntry is an entry of a batch or transaction.
type batchEntry struct {
	req        fhir.Request // what it asks for; zero until that is known
	condition  string       // the parameters that decide what it is about
	permission smart.Permission
	status     int            // of the hospital's answer, or of a refusal of it; 0 = not told
	issue      fhir.IssueCode // of that refusal
	created    string         // what it created, as a reference
}

const (
	// maxEntries bounds the entries of a batch: each is held several times.
	maxEntries = 10_000
	// maxKeys bounds the keys of one object of a body that is looked at closely;
	// the longest of R4 has less than 100.
	maxKeys = 1000
)

// adaptBatch takes every entry through the stages identify, authorise and limit
// as a call of its own (https://hl7.org/fhir/R4/http.html#transaction). One
// refused entry refuses a transaction; in a batch it gets its own outcome, and
// the others go on. original is the body as it came, adapted the one whose
// references were mapped already.
func (f *Facade) adaptBatch(c *call, original, adapted []byte) ([]byte, error) {
	if err := uniqueKeys(original); err != nil {
		return nil, err
	}
	bundle := gjson.ParseBytes(original)
	switch kind := bundle.Get("type").Str; {
	case bundle.Get("resourceType").Str != "Bundle":
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the body must be a Bundle: a POST to the hospital's base is a batch or a transaction").At("resourceType")
	case kind == "transaction":
		c.req.Interaction = fhir.Transaction
	case kind != "batch":
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueValue, "the Bundle's type must be batch or transaction").At("Bundle.type")
	}
	if !c.hospital.Route.Allows(c.req) {
		return nil, notListed(c.req)
	}
	if bundle.Get("entry.#").Int() > maxEntries {
		return nil, fhir.NewError(http.StatusRequestEntityTooLarge, fhir.IssueTooLong, "the Bundle has more than "+strconv.Itoa(maxEntries)+" entries").At("Bundle.entry")
	}
	entries := bundle.Get("entry").Array()
	c.batch = &batch{entries: make([]batchEntry, len(entries)), refused: make(map[int]*fhir.Error)}
	cost := 0
	sent := gjson.GetBytes(adapted, "entry").Array()
	kept := make([]string, 0, len(sent))
	for i, entry := range entries {
		of := &c.batch.entries[i]
		raw, err := f.adaptEntry(c, of, entry, sent[i].Raw)
		if err == nil {
			cost += c.cost(of.req, of.condition)
			c.batch.places = append(c.batch.places, i)
			kept = append(kept, raw)
			continue
		}
		refusal := asError(err)
		refusal = refusal.At("Bundle.entry[" + strconv.Itoa(i) + "].request")
		if c.req.Interaction == fhir.Transaction {
			return nil, refusal
		}
		c.batch.refused[i] = refusal
		cost++
	}
	if err := f.take(c, cost); err != nil {
		return nil, err
	}
	return sjson.SetRawBytes(adapted, "entry", []byte("["+strings.Join(kept, ",")+"]"))
}

// adaptEntry permits one entry and returns it as it goes to the hospital.
func (f *Facade) adaptEntry(c *call, of *batchEntry, entry gjson.Result, adapted string) (string, error) {
	if err := plainRequest(entry); err != nil {
		return "", err
	}
	method, locator := entry.Get("request.method").Str, entry.Get("request.url").Str
	if rest, ok := below(c.hospital.public, locator); ok {
		locator = rest
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(locator, "/"), "?")
	if strings.Contains(path, "//") || strings.HasPrefix(locator, "//") {
		if c.hospital.foreign(locator) {
			return "", errForeign()
		}
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueValue, "request.url must be relative to the hospital's base")
	}
	if strings.ContainsAny(path, `%;\#`) {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "request.url holds characters that no FHIR path has")
	}
	header := make(http.Header)
	if condition := entry.Get("request.ifNoneExist").Str; condition != "" {
		header.Set("If-None-Exist", strings.TrimPrefix(condition, "?"))
	}
	req, err := fhir.Parse(method, path, header, query)
	if err != nil {
		return "", err
	}
	switch req.Interaction {
	case fhir.Batch, fhir.SearchSystem, fhir.HistorySystem, fhir.Capabilities:
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported, "a system-level interaction cannot be an entry")
	}
	if typ := entry.Get("resource.resourceType").Str; (req.Interaction == fhir.Create || req.Interaction == fhir.Update) && typ != req.Type {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the entry's resource is not of the type in request.url")
	}
	if entry.Get("resource").Exists() && (!req.Interaction.Writes() || req.Interaction == fhir.Delete) { // as noBody
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "an entry with the interaction "+string(req.Interaction)+" takes no resource")
	}
	of.req, of.condition = req, query
	if ifNoneExist := header.Get("If-None-Exist"); ifNoneExist != "" {
		of.condition = joinQueries(query, ifNoneExist)
	}
	if of.permission, err = c.permit(req, of.condition); err != nil {
		return "", err
	}
	if of.permission.NeedsPresent() {
		return "", fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the caller's scopes, or a deny rule of the hospital, want the present resource looked at: make it a call of its own")
	}
	if req.Interaction == fhir.SearchType {
		query = of.permission.Narrow(query)
	}
	query, err = c.adaptQuery(query)
	if err != nil {
		return "", err
	}
	// An entry has no header of its own for the rules to change.
	asked := c.hospital.rulesCall(req, conditionsOf(entry))
	asked.Raw, asked.Query = c.raw, query
	ruled, err := c.hospital.Vendor.Apply(asked, query, make(http.Header))
	if err != nil {
		return "", err
	}
	if ruled.Form != req.FormSearch || ruled.Rest != nil || ruled.Alternate != nil {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported, "the hospital takes this search as a call of its own only, not as an entry")
	}
	query = ruled.Query
	if req.Conditional && req.Interaction != fhir.Create && !fhir.Selects(query) {
		return "", fhir.ErrSelectsNothing()
	}
	if req.Conditional && req.Interaction == fhir.Create {
		condition, err := c.adaptQuery(header.Get("If-None-Exist"))
		if err != nil {
			return "", err
		}
		condition = c.hospital.Vendor.Condition(asked, condition)
		if adapted, err = sjson.Set(adapted, "request.ifNoneExist", condition); err != nil {
			return "", err
		}
	}
	target := req.Path()
	if query != "" {
		target += "?" + query
	}
	if resource := gjson.Get(adapted, "resource"); resource.Exists() {
		if err := c.sends(of.permission, []byte(resource.Raw)); err != nil {
			return "", err
		}
	}
	if adapted, err = f.adaptEntryBody(c, asked, adapted); err != nil {
		return "", err
	}
	if !req.Interaction.Writes() && !of.permission.Free() { // as requestHeader
		for _, condition := range []string{"request.ifNoneMatch", "request.ifModifiedSince"} {
			if adapted, err = sjson.Delete(adapted, condition); err != nil {
				return "", err
			}
		}
	}
	c.batch.sent = append(c.batch.sent, asked)
	if target == gjson.Get(adapted, "request.url").Str {
		return adapted, nil
	}
	return sjson.Set(adapted, "request.url", target)
}

// requestElements are those of Bundle.entry.request, in lower case.
var requestElements = map[string]string{
	"method": "method", "url": "url", "ifnonematch": "ifNoneMatch", "ifmodifiedsince": "ifModifiedSince", "ifmatch": "ifMatch", "ifnoneexist": "ifNoneExist",
}

// plainRequest refuses a request in which the hospital could find more than was
// permitted: an element in another letter case, or one that is no text.
func plainRequest(entry gjson.Result) error {
	plain := true
	entry.Get("request").ForEach(func(key, value gjson.Result) bool {
		element, known := requestElements[strings.ToLower(key.Str)]
		plain = !known || key.Str == element && value.Type == gjson.String
		return plain
	})
	if !plain {
		return fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "an element of the request is not spelled as FHIR has it, or is no text")
	}
	return nil
}

// conditionsOf returns the headers that an entry stands for
// (https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request).
func conditionsOf(entry gjson.Result) http.Header {
	header := make(http.Header)
	for element, name := range map[string]string{
		"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifModifiedSince": "If-Modified-Since", "ifNoneExist": "If-None-Exist",
	} {
		if value := entry.Get("request." + element).Str; value != "" {
			header.Set(name, value)
		}
	}
	return header
}

// adaptEntryBody takes an entry's resource through the vendor's rules.
func (f *Facade) adaptEntryBody(c *call, asked transforms.Call, entry string) (string, error) {
	switch asked.Interaction {
	case fhir.Create, fhir.ConditionalCreate, fhir.Update, fhir.ConditionalUpdate:
	case fhir.Patch, fhir.ConditionalPatch: // base64 in a Binary
		if c.hospital.Vendor.Translates(asked) {
			return "", fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueNotSupported, "a patch of this type, which the gateway translates for the hospital, must be a call of its own")
		}
		return entry, nil
	default:
		return entry, nil
	}
	ifMatch := ""
	resource := gjson.Get(entry, "resource").Raw
	adapted, err := f.applyBody(c, asked, []byte(resource), func(name, value string) {
		if name == "If-Match" {
			ifMatch = value
		}
	})
	if err != nil {
		return "", err
	}
	if string(adapted) != resource {
		if entry, err = sjson.SetRaw(entry, "resource", string(adapted)); err != nil {
			return "", err
		}
	}
	if ifMatch != "" && !gjson.Get(entry, "request.ifMatch").Exists() {
		return sjson.Set(entry, "request.ifMatch", ifMatch)
	}
	return entry, nil
}

// uniqueKeys refuses a body in which an object has a key twice: the hospital
// could read another value than the one that was permitted. Letter case makes no
// difference, because there are parsers to which it makes none.
func uniqueKeys(body []byte) error {
	type level struct {
		keys  map[string]bool // nil for an array
		value bool            // the next string is a value, not a key
	}
	var levels []level
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "the body is not well-formed JSON").Because(err)
		}
		delim, isDelim := token.(json.Delim)
		if isDelim && (delim == '}' || delim == ']') {
			levels = levels[:len(levels)-1]
			if len(levels) > 0 {
				levels[len(levels)-1].value = false
			}
			continue
		}
		if top := len(levels) - 1; top >= 0 && levels[top].keys != nil && !levels[top].value {
			key := strings.ToLower(token.(string))
			if levels[top].keys[key] || len(levels[top].keys) == maxKeys {
				return fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "an object of the body has a key twice, or too many, before byte "+strconv.FormatInt(decoder.InputOffset(), 10))
			}
			levels[top].keys[key], levels[top].value = true, true
			continue
		}
		switch {
		case isDelim && delim == '{':
			levels = append(levels, level{keys: make(map[string]bool)})
		case isDelim:
			levels = append(levels, level{})
		case len(levels) > 0:
			levels[len(levels)-1].value = false
		}
	}
}

// nothingToSend reports whether all entries of a batch were refused, or none
// was there.
func (b *batch) nothingToSend() bool { return b != nil && len(b.entries) == len(b.refused) }

// merge puts the outcomes of refused entries at their places among the
// hospital's answers, and returns the whole batch-response.
func (b *batch) merge(answer []byte, requestID string) ([]byte, error) {
	if typ, once := resourceType(answer); typ != "Bundle" || !once {
		return nil, notFHIR("the hospital did not answer the batch with a Bundle")
	}
	answers := gjson.GetBytes(answer, "entry").Array()
	if len(answers) != len(b.entries)-len(b.refused) {
		return nil, fhir.NewError(http.StatusBadGateway, fhir.IssueStructure, "the hospital answered another number of entries than it was asked")
	}
	merged := make([]string, 0, len(b.entries))
	for i := range b.entries {
		if refusal, ok := b.refused[i]; ok {
			merged = append(merged, entryOutcome(refusal, requestID))
			continue
		}
		merged = append(merged, answers[0].Raw)
		answers = answers[1:]
	}
	return sjson.SetRawBytes(answer, "entry", []byte("["+strings.Join(merged, ",")+"]"))
}

func entryOutcome(refusal *fhir.Error, requestID string) string {
	status := strconv.Itoa(refusal.Status) + " " + http.StatusText(refusal.Status)
	return `{"response":{"status":` + strconv.Quote(status) + `,"outcome":` + string(fhir.Outcome(requestID, refusal.Issue())) + `}}`
}

// emptyResponse is the answer to a batch of which nothing went to the hospital.
var emptyResponse = []byte(`{"resourceType":"Bundle","type":"batch-response","entry":[]}`)
