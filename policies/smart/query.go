package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
)

// asked reads what the parameters of a call ask for beside the resources of
// its own type, and refuses what the scopes do not reach.
type asked struct {
	access     *Access
	permission *Permission
	req        fhir.Request
	types      []string // _type
	counted    bool     // the answer tells a number
}

// maxName bounds the name of a parameter, in bytes.
const maxName = 500

// plainParams are the parameters for all types that bring nothing else in and
// can be answered from the resources in scope. Names are in lower case.
var plainParams = map[string]bool{
	"_id": true, "_lastupdated": true, "_tag": true, "_profile": true, "_security": true, "_source": true, "_language": true,
	"_offset": true, "_page": true, "_score": true, "_format": true, "_pretty": true, "_since": true, "_at": true,
}

func (q *asked) read(query string) error {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil || strings.Contains(pair, ";") {
			return badQuery("the query is not well formed: it holds a ';', or a '%' without two hexadecimal digits")
		}
		if !isName(name) {
			return badQuery("the name of a parameter is empty, too long or holds characters that no search parameter has")
		}
		if strings.Trim(value, " \t,") == "" {
			continue // a server ignores it
		}
		if err := q.param(name, value); err != nil {
			return err
		}
	}
	return q.count()
}

// count refuses numbers where some of what is counted is hidden.
func (q *asked) count() error {
	if !q.counted {
		return nil
	}
	for _, typ := range q.own() {
		if err := q.access.permitFully(typ, Search, "for a count (_summary=count, _total)"); err != nil {
			return err
		}
	}
	return nil
}

// own returns the types that the call itself is about.
func (q *asked) own() []string {
	switch {
	case q.req.Type != "":
		return []string{q.req.Type}
	case len(q.types) > 0:
		return q.types
	default:
		return []string{AllTypes}
	}
}

func badQuery(text string) error {
	return fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, text)
}

// isName reports whether a decoded name is one that FHIR could have: others
// are read in one way here and perhaps in another by the hospital.
func isName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

// param looks at one parameter. Letter case makes no difference to those that
// begin with "_", because there are servers to which it makes none.
func (q *asked) param(name, value string) error {
	if name[0] != '_' || strings.Contains(name, ".") {
		return q.follow(name, q.own())
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ":")
	switch base {
	case "_has":
		return q.follow(name, q.own())
	case "_include", "_revinclude":
		return q.include(base, value)
	case "_type":
		return q.typeList(value)
	case "_summary":
		switch value = strings.ToLower(value); {
		case value == "false", value == "data":
			return nil
		case strings.Contains(value, "count"):
			q.counted = true
			return nil
		}
		return q.whole()
	case "_elements":
		return q.whole()
	case "_count": // 0 is the same as _summary=count
		q.counted = q.counted || !isPositive(value)
		return nil
	case "_total":
		q.counted = q.counted || value != "none"
		return nil
	case "_contained", "_containedtype":
		if value == "false" {
			return nil
		}
		return q.access.permitFully(AllTypes, Search, "for the parameter _contained")
	case "_filter", "_query", "_text", "_content", "_list":
		return q.access.permitFully(AllTypes, Search, "for the parameter "+base)
	case "_sort":
		if !strings.ContainsAny(value, ".:") {
			return nil
		}
		return q.access.permitFully(AllTypes, Search, "for a chained parameter")
	}
	if plainParams[base] {
		return nil
	}
	return q.access.permitFully(AllTypes, Search, "for a parameter that the gateway does not know")
}

func isPositive(number string) bool {
	n, err := strconv.ParseUint(number, 10, 64)
	return err == nil && n > 0
}

// whole refuses parts of resources where a deny rule looks at elements: the
// hospital could leave out the very one. Scopes ask for elements to be there,
// and need no such care.
func (q *asked) whole() error {
	for i := range q.access.denied {
		if len(q.access.denied[i].tests) > 0 {
			return forbidden("a rule of the hospital looks at elements of resources, so that _elements and _summary cannot leave any out")
		}
	}
	return nil
}

// typeList reads _type, which narrows a call at the system level
// (https://hl7.org/fhir/R4/search.html#_type).
func (q *asked) typeList(value string) error {
	if q.req.Type != "" && q.req.Interaction != fhir.Operation {
		return q.access.permitFully(AllTypes, Search, "for the parameter _type, which belongs to a search of the system")
	}
	for typ := range strings.SplitSeq(value, ",") {
		if typ = strings.TrimSpace(typ); !fhir.IsResourceType(typ) {
			return badQuery("the parameter _type names a type that R4 does not have (names are case-sensitive)")
		}
		if !slices.Contains(q.types, typ) {
			q.types = append(q.types, typ)
		}
	}
	return nil
}

// checkSystem permits a search or history of the system for the types that it
// names, or for all.
func (q *asked) checkSystem() error {
	for _, typ := range q.own() {
		if err := q.access.permit(typ, Search, "for the interaction "+string(q.req.Interaction)); err != nil {
			return err
		}
	}
	return nil
}

// include permits what _include and _revinclude bring in
// (https://hl7.org/fhir/R4/search.html#revinclude). The modifiers iterate and
// recurse make no difference: each include is looked at by itself.
func (q *asked) include(base, value string) error {
	for part := range strings.SplitSeq(value, ",") {
		source, rest, _ := strings.Cut(strings.TrimSpace(part), ":")
		param, target, _ := strings.Cut(rest, ":")
		if !fhir.IsResourceType(source) {
			source = AllTypes
		}
		if base == "_revinclude" {
			if err := q.bring(source, Search, base); err != nil {
				return err
			}
			continue
		}
		types := targets([]string{source}, param)
		if fhir.IsResourceType(target) {
			types = []string{target}
		}
		for _, typ := range types {
			if err := q.bring(typ, Read, base); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *asked) bring(typ string, actions Actions, base string) error {
	reason := "for " + base
	if typ == AllTypes {
		reason += " that does not say which type it brings in"
	}
	if err := q.access.permit(typ, actions, reason); err != nil {
		return err
	}
	if q.permission.included == nil {
		q.permission.included = make(map[string]Actions)
	}
	q.permission.included[typ] |= actions
	return nil
}

// follow permits the types that a chained parameter or _has looks at
// (https://hl7.org/fhir/R4/search.html#chaining), at any depth. Whether a
// resource fits can be guessed from the answer, so scopes on these types must
// have no condition. types are those that have the parameter, AllTypes where
// they are not known.
func (q *asked) follow(name string, types []string) error {
	if len(name) > 4 && strings.EqualFold(name[:4], "_has") {
		parts := strings.SplitN(name, ":", 4)
		if len(parts) < 4 {
			return badQuery("the parameter _has is not of the form _has:Type:reference:parameter")
		}
		typ := parts[1]
		if !fhir.IsResourceType(typ) {
			typ = AllTypes
		}
		if err := q.access.permitFully(typ, Search, "for _has"); err != nil {
			return err
		}
		return q.follow(parts[3], []string{typ})
	}
	link, rest, chained := strings.Cut(name, ".")
	if !chained {
		base, _, _ := strings.Cut(strings.ToLower(name), ":")
		if strings.HasPrefix(base, "_") && !plainParams[base] {
			return q.access.permitFully(AllTypes, Search, "for a parameter that the gateway does not know in a chain")
		}
		return nil
	}
	param, typ, typed := strings.Cut(link, ":")
	next := targets(types, param)
	if typed {
		next = []string{AllTypes}
		if fhir.IsResourceType(typ) {
			next = []string{typ}
		}
	}
	for _, typ := range next {
		if err := q.access.permitFully(typ, Search, "for a chained parameter"); err != nil {
			return err
		}
	}
	return q.follow(rest, next)
}
