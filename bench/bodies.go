package main

import (
	"fmt"
	"strings"
)

// patientBody is a synthetic Patient of about size bytes with the locators
// that a HAPI server writes absolute.
func patientBody(base, id string, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"Patient","id":"%s","meta":{"versionId":"3","lastUpdated":"2026-11-22T06:15:00.000-06:00","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},`, id)
	b.WriteString(`"extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"}],`)
	fmt.Fprintf(&b, `"photo":[{"contentType":"image/jpeg","url":"%s/Binary/photo-%s"}],"managingOrganization":{"reference":"%[1]s/Organization/o1","display":"Harbor Clinic"},"generalPractitioner":[{"reference":"Practitioner/d-%[2]s"}],`, base, id)
	b.WriteString(`"active":true,"name":[{"use":"official","family":"Birch","given":["Robin","Lee"]}],"gender":"female","birthDate":"1980-01-01","multipleBirthInteger":1,"address":[{"use":"home","line":["12 Elm Row"],"city":"Springfield","state":"IL","postalCode":"62701"}],"identifier":[`)
	for n := 0; n == 0 || b.Len() < size-150; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}],"text":"MRN"},"system":"urn:oid:2.16.840.1.113883.3.9621.%d","value":"%07d"}`, n, n*37)
	}
	b.WriteString(`],"telecom":[{"system":"phone","value":"555-0100","use":"home","rank":1}]}`)
	return b.String()
}

// searchsetBody is a synthetic searchset of 20 Patients, about 23 KB, whose
// next link has HAPI's form: only the hospital knows what it leads to.
func searchsetBody(base string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"Bundle","id":"b1","meta":{"lastUpdated":"2026-11-22T06:15:00.000-06:00"},"type":"searchset","total":200,"link":[{"relation":"self","url":"%s/Patient?_count=20"},{"relation":"next","url":"%[1]s?_getpages=5f0c1d7e-8d34-4a51&_getpagesoffset=20&_count=20&_bundletype=searchset"}],"entry":[`, base)
	for n := range 20 {
		if n > 0 {
			b.WriteByte(',')
		}
		id := fmt.Sprint("e", n)
		fmt.Fprintf(&b, `{"fullUrl":"%s/Patient/%s","resource":%s,"search":{"mode":"match"}}`, base, id, patientBody(base, id, 1000))
	}
	b.WriteString(`]}`)
	return b.String()
}
