package sandbox

import (
	"encoding/json"
	"time"
)

const usCore = "http://hl7.org/fhir/us/core/StructureDefinition/"

// usCoreExtensions writes the demographic extensions that US hospitals send.
func usCoreExtensions(p person) json.RawMessage {
	omb := func(url, code, display string) json.RawMessage {
		return obj("extension", arr(
			obj("url", "ombCategory", "valueCoding", obj("system", "urn:oid:2.16.840.1.113883.6.238", "code", code, "display", display)),
			obj("url", "text", "valueString", display)), "url", usCore+url)
	}
	sex := map[string]string{"female": "F", "male": "M"}[p.gender]
	return arr(omb("us-core-race", "2106-3", "White"), omb("us-core-ethnicity", "2186-5", "Not Hispanic or Latino"),
		obj("url", usCore+"us-core-birthsex", "valueCode", sex))
}

func humanName(use string, p person) json.RawMessage {
	return obj("use", use, "text", p.given+" "+p.middle+" "+p.family, "family", p.family, "given", arr(p.given, p.middle))
}

func telecom(p person) json.RawMessage {
	return arr(obj("system", "phone", "value", p.phone, "use", "home", "rank", 1),
		obj("system", "phone", "value", p.phone+"9", "use", "mobile"), obj("system", "email", "value", p.email))
}

func postalAddress(p person) json.RawMessage {
	return obj("use", "home", "text", p.street+"\r\n"+p.city+" IL "+p.zip, "line", arr(p.street), "city", p.city, "state", "IL",
		"postalCode", p.zip, "country", "US", "period", obj("start", p.born.AddDate(0, 2, 0).Format(time.DateOnly)))
}

func maritalStatus() json.RawMessage {
	return obj("coding", arr(obj("system", "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code", "M", "display", "Married")), "text", "Married")
}

func speaksEnglish() json.RawMessage {
	return arr(obj("language", obj("coding", arr(obj("system", "urn:ietf:bcp:47", "code", "en", "display", "English")), "text", "English"), "preferred", true))
}

func relative(p person) json.RawMessage {
	return arr(obj("relationship", arr(obj("coding", arr(obj("system", "http://terminology.hl7.org/CodeSystem/v2-0131", "code", "C", "display", "Emergency Contact")), "text", "Spouse")),
		"name", obj("use", "usual", "text", p.middle+" "+p.family, "family", p.family, "given", arr(p.middle)),
		"telecom", arr(obj("system", "phone", "value", p.phone, "use", "home"))))
}
