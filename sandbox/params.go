package sandbox

import "slices"

// kind is the type of a search parameter (https://hl7.org/fhir/R4/search.html#ptypes).
type kind int

const (
	token kind = iota
	reference
	date
	words
)

// param says how a search parameter finds its values in a resource.
type param struct {
	kind   kind
	target string   // type that a reference must have, empty for any
	paths  []string // gjson paths
}

// everyType holds the parameters that each type has.
var everyType = map[string]param{
	"_id":          {token, "", []string{"id"}},
	"_lastUpdated": {date, "", []string{"meta.lastUpdated"}},
	"_tag":         {token, "", []string{"meta.tag"}},
	"_profile":     {token, "", []string{"meta.profile"}},
}

// clinical holds the parameters of types that have none listed in byType.
var clinical = map[string]param{
	"identifier": {token, "", []string{"identifier"}},
	"status":     {token, "", []string{"status"}},
	"code":       {token, "", []string{"code"}},
	"category":   {token, "", []string{"category"}},
	"patient":    {reference, "Patient", []string{"subject", "patient"}},
	"subject":    {reference, "", []string{"subject"}},
	"encounter":  {reference, "Encounter", []string{"encounter"}},
	"date":       {date, "", []string{"effectiveDateTime", "effectivePeriod", "date", "authoredOn", "issued"}},
}

// byType holds the search parameters of the types that the simulated hospitals use most.
var byType = map[string]map[string]param{
	"Patient": {
		"identifier":           {token, "", []string{"identifier"}},
		"active":               {token, "", []string{"active"}},
		"family":               {words, "", []string{"name.#.family"}},
		"given":                {words, "", []string{"name.#.given"}},
		"name":                 {words, "", []string{"name.#.family", "name.#.given", "name.#.text"}},
		"birthdate":            {date, "", []string{"birthDate"}},
		"gender":               {token, "", []string{"gender"}},
		"phone":                {token, "", []string{`telecom.#(system=="phone")#`}},
		"email":                {token, "", []string{`telecom.#(system=="email")#`}},
		"address-postalcode":   {words, "", []string{"address.#.postalCode"}},
		"organization":         {reference, "Organization", []string{"managingOrganization"}},
		"general-practitioner": {reference, "", []string{"generalPractitioner"}},
	},
	"Appointment": {
		"identifier":   {token, "", []string{"identifier"}},
		"status":       {token, "", []string{"status"}},
		"date":         {date, "", []string{"start"}},
		"actor":        {reference, "", []string{"participant.#.actor"}},
		"patient":      {reference, "Patient", []string{"participant.#.actor"}},
		"practitioner": {reference, "Practitioner", []string{"participant.#.actor"}},
		"location":     {reference, "Location", []string{"participant.#.actor"}},
		"service-type": {token, "", []string{"serviceType"}},
	},
	"Encounter": {
		"identifier":   {token, "", []string{"identifier"}},
		"status":       {token, "", []string{"status"}},
		"class":        {token, "", []string{"class"}},
		"type":         {token, "", []string{"type"}},
		"date":         {date, "", []string{"period"}},
		"patient":      {reference, "Patient", []string{"subject"}},
		"subject":      {reference, "", []string{"subject"}},
		"account":      {reference, "Account", []string{"account"}},
		"appointment":  {reference, "Appointment", []string{"appointment"}},
		"location":     {reference, "Location", []string{"location.#.location"}},
		"participant":  {reference, "", []string{"participant.#.individual"}},
		"practitioner": {reference, "Practitioner", []string{"participant.#.individual"}},
	},
	"DocumentReference": {
		"identifier": {token, "", []string{"identifier", "masterIdentifier"}},
		"status":     {token, "", []string{"status"}},
		"type":       {token, "", []string{"type"}},
		"category":   {token, "", []string{"category"}},
		"date":       {date, "", []string{"date"}},
		"period":     {date, "", []string{"context.period"}},
		"patient":    {reference, "Patient", []string{"subject"}},
		"subject":    {reference, "", []string{"subject"}},
		"encounter":  {reference, "Encounter", []string{"context.encounter"}},
		"author":     {reference, "", []string{"author"}},
	},
	"Observation": {
		"identifier": {token, "", []string{"identifier"}},
		"status":     {token, "", []string{"status"}},
		"code":       {token, "", []string{"code"}},
		"category":   {token, "", []string{"category"}},
		"date":       {date, "", []string{"effectiveDateTime", "effectivePeriod"}},
		"patient":    {reference, "Patient", []string{"subject"}},
		"subject":    {reference, "", []string{"subject"}},
		"encounter":  {reference, "Encounter", []string{"encounter"}},
		"performer":  {reference, "", []string{"performer"}},
	},
	"Practitioner": {
		"identifier": {token, "", []string{"identifier"}},
		"active":     {token, "", []string{"active"}},
		"family":     {words, "", []string{"name.#.family"}},
		"given":      {words, "", []string{"name.#.given"}},
		"name":       {words, "", []string{"name.#.family", "name.#.given", "name.#.text"}},
	},
	"Location": {
		"identifier":   {token, "", []string{"identifier"}},
		"status":       {token, "", []string{"status"}},
		"name":         {words, "", []string{"name"}},
		"organization": {reference, "Organization", []string{"managingOrganization"}},
	},
	"Organization": {
		"identifier": {token, "", []string{"identifier"}},
		"active":     {token, "", []string{"active"}},
		"name":       {words, "", []string{"name"}},
	},
	"Binary": {},
}

// lookupParam finds a search parameter of a type.
func lookupParam(typ, name string) (param, bool) {
	if p, ok := everyType[name]; ok {
		return p, true
	}
	params, ok := byType[typ]
	if !ok {
		params = clinical
	}
	p, ok := params[name]
	return p, ok
}

// paramNames lists the search parameters of a type, sorted.
func paramNames(typ string) []string {
	params, ok := byType[typ]
	if !ok {
		params = clinical
	}
	names := make([]string, 0, len(params)+len(everyType))
	for name := range params {
		names = append(names, name)
	}
	for name := range everyType {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// String is the kind's name in a CapabilityStatement.
func (k kind) String() string { return [...]string{"token", "reference", "date", "string"}[k] }
