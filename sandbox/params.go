package sandbox

import "slices"

// kind is the type of a search parameter (https://hl7.org/fhir/R4/search.html#ptypes).
type kind int

const (
	kindToken kind = iota
	kindReference
	kindDate
	kindString
)

// param says how a search parameter finds its values in a resource.
type param struct {
	kind   kind
	target string   // type that a reference must have, empty for any
	paths  []string // gjson paths
}

// everyType holds the parameters that each type has.
var everyType = map[string]param{
	"_id":          {kindToken, "", []string{"id"}},
	"_lastUpdated": {kindDate, "", []string{"meta.lastUpdated"}},
	"_tag":         {kindToken, "", []string{"meta.tag"}},
	"_profile":     {kindToken, "", []string{"meta.profile"}},
}

// clinical holds the parameters of types that have none listed in byType.
var clinical = map[string]param{
	"identifier": {kindToken, "", []string{"identifier"}},
	"status":     {kindToken, "", []string{"status"}},
	"code":       {kindToken, "", []string{"code"}},
	"category":   {kindToken, "", []string{"category"}},
	"patient":    {kindReference, "Patient", []string{"subject", "patient"}},
	"subject":    {kindReference, "", []string{"subject"}},
	"encounter":  {kindReference, "Encounter", []string{"encounter"}},
	"date":       {kindDate, "", []string{"effectiveDateTime", "effectivePeriod", "date", "authoredOn", "issued"}},
}

// byType holds the search parameters of the types that the simulated hospitals use most.
var byType = map[string]map[string]param{
	"Patient": {
		"identifier":           {kindToken, "", []string{"identifier"}},
		"active":               {kindToken, "", []string{"active"}},
		"family":               {kindString, "", []string{"name.#.family"}},
		"given":                {kindString, "", []string{"name.#.given"}},
		"name":                 {kindString, "", []string{"name.#.family", "name.#.given", "name.#.text"}},
		"birthdate":            {kindDate, "", []string{"birthDate"}},
		"gender":               {kindToken, "", []string{"gender"}},
		"phone":                {kindToken, "", []string{`telecom.#(system=="phone")#`}},
		"email":                {kindToken, "", []string{`telecom.#(system=="email")#`}},
		"address-postalcode":   {kindString, "", []string{"address.#.postalCode"}},
		"organization":         {kindReference, "Organization", []string{"managingOrganization"}},
		"general-practitioner": {kindReference, "", []string{"generalPractitioner"}},
	},
	"Appointment": {
		"identifier":   {kindToken, "", []string{"identifier"}},
		"status":       {kindToken, "", []string{"status"}},
		"date":         {kindDate, "", []string{"start"}},
		"actor":        {kindReference, "", []string{"participant.#.actor"}},
		"patient":      {kindReference, "Patient", []string{"participant.#.actor"}},
		"practitioner": {kindReference, "Practitioner", []string{"participant.#.actor"}},
		"location":     {kindReference, "Location", []string{"participant.#.actor"}},
		"service-type": {kindToken, "", []string{"serviceType"}},
	},
	"Encounter": {
		"identifier":   {kindToken, "", []string{"identifier"}},
		"status":       {kindToken, "", []string{"status"}},
		"class":        {kindToken, "", []string{"class"}},
		"type":         {kindToken, "", []string{"type"}},
		"date":         {kindDate, "", []string{"period"}},
		"patient":      {kindReference, "Patient", []string{"subject"}},
		"subject":      {kindReference, "", []string{"subject"}},
		"account":      {kindReference, "Account", []string{"account"}},
		"appointment":  {kindReference, "Appointment", []string{"appointment"}},
		"location":     {kindReference, "Location", []string{"location.#.location"}},
		"participant":  {kindReference, "", []string{"participant.#.individual"}},
		"practitioner": {kindReference, "Practitioner", []string{"participant.#.individual"}},
	},
	"DocumentReference": {
		"identifier": {kindToken, "", []string{"identifier", "masterIdentifier"}},
		"status":     {kindToken, "", []string{"status"}},
		"type":       {kindToken, "", []string{"type"}},
		"category":   {kindToken, "", []string{"category"}},
		"date":       {kindDate, "", []string{"date"}},
		"period":     {kindDate, "", []string{"context.period"}},
		"patient":    {kindReference, "Patient", []string{"subject"}},
		"subject":    {kindReference, "", []string{"subject"}},
		"encounter":  {kindReference, "Encounter", []string{"context.encounter"}},
		"author":     {kindReference, "", []string{"author"}},
	},
	"Observation": {
		"identifier": {kindToken, "", []string{"identifier"}},
		"status":     {kindToken, "", []string{"status"}},
		"code":       {kindToken, "", []string{"code"}},
		"category":   {kindToken, "", []string{"category"}},
		"date":       {kindDate, "", []string{"effectiveDateTime", "effectivePeriod"}},
		"patient":    {kindReference, "Patient", []string{"subject"}},
		"subject":    {kindReference, "", []string{"subject"}},
		"encounter":  {kindReference, "Encounter", []string{"encounter"}},
		"performer":  {kindReference, "", []string{"performer"}},
	},
	"Practitioner": {
		"identifier": {kindToken, "", []string{"identifier"}},
		"active":     {kindToken, "", []string{"active"}},
		"family":     {kindString, "", []string{"name.#.family"}},
		"given":      {kindString, "", []string{"name.#.given"}},
		"name":       {kindString, "", []string{"name.#.family", "name.#.given", "name.#.text"}},
	},
	"Location": {
		"identifier":   {kindToken, "", []string{"identifier"}},
		"status":       {kindToken, "", []string{"status"}},
		"name":         {kindString, "", []string{"name"}},
		"organization": {kindReference, "Organization", []string{"managingOrganization"}},
	},
	"Organization": {
		"identifier": {kindToken, "", []string{"identifier"}},
		"active":     {kindToken, "", []string{"active"}},
		"name":       {kindString, "", []string{"name"}},
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
