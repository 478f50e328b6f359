package docs

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/portal/tryit"
	"fhirgate/portal/web/page"
)

// example is a call that is ready to be made: it fills the form of the page /try
// in the way in which a hospital wants to be asked.
type example struct {
	Value string // in the address
	Label string
	First *tryit.Call // finds what the call needs to know; nil = nothing
	Why   string      // of First, or what is special about the call; "" = nothing is
	call  func(found gjson.Result) tryit.Call
}

// examplesOf returns what can be tried at a hospital.
func examplesOf(h tryit.Hospital) []example {
	var all []example
	if h.Searches("Appointment") {
		if e, ok := appointmentsAt(h); ok {
			all = append(all, e)
		}
	}
	if h.Searches("Patient") {
		all = append(all, patientsAt(h)...)
	}
	return append(all, example{Value: "capabilities", Label: "What it offers", call: func(gjson.Result) tryit.Call {
		return tryit.Call{Interaction: tryit.Capabilities}
	}})
}

// appointmentsAt asks for the appointments of today; false = what the hospital
// wants to know with it cannot be found out.
func appointmentsAt(h tryit.Hospital) (example, bool) {
	day := "date=" + today(h.TimeZone)
	e := example{Value: "appointments", Label: "Today's appointments", call: func(gjson.Result) tryit.Call { return search("Appointment", day) }}
	switch askedBy[h.Vendor] {
	case "patient":
		first := somePatient(h)
		e.First, e.Why = &first, "This hospital answers for one patient at a time."
		e.call = func(found gjson.Result) tryit.Call { return search("Appointment", day, "patient="+found.Get("id").Str) }
		return e, h.Searches("Patient")
	case "location":
		first := search("Location", "status=active")
		e.First, e.Why = &first, "This hospital wants to know the location, too."
		e.call = func(found gjson.Result) tryit.Call {
			return search("Appointment", day, "location="+found.Get("id").Str)
		}
		return e, h.Searches("Location")
	default:
		return e, true
	}
}

// patientsAt are the examples about one patient.
func patientsAt(h tryit.Hospital) []example {
	first := somePatient(h)
	named := example{Value: "patients", Label: "Patients by name", First: &first, Why: "This looks for all patients of a name.", call: func(found gjson.Result) tryit.Call {
		return search("Patient", "family="+found.Get("name.0.family").Str)
	}}
	if h.Vendor == "epic" {
		named.Why = "This hospital wants to know the date of birth with a name."
		named.call = func(found gjson.Result) tryit.Call {
			return search("Patient", "family="+found.Get("name.0.family").Str, "birthdate="+found.Get("birthDate").Str)
		}
	}
	all := []example{named}
	if h.Reads("Patient") {
		all = append(all, example{Value: "patient", Label: "One patient", First: &first, Why: "A patient is read by the id that a search shows.", call: func(found gjson.Result) tryit.Call {
			return tryit.Call{Interaction: tryit.Read, Type: "Patient", ID: found.Get("id").Str}
		}})
	}
	if h.Searches("DocumentReference") {
		all = append(all, example{Value: "documents", Label: "A patient's documents", First: &first, Why: "Documents are those of one patient.", call: func(found gjson.Result) tryit.Call {
			return search("DocumentReference", "patient="+found.Get("id").Str)
		}})
	}
	return all
}

// somePatient finds a patient: the one who is known to be at simulated hospitals
// of the vendor, else any.
func somePatient(h tryit.Hospital) tryit.Call {
	if known := simulatedPatients[h.Vendor]; known != "" {
		return search("Patient", "identifier="+known)
	}
	return search("Patient", "_count=1")
}

func search(typ string, parameters ...string) tryit.Call {
	return tryit.Call{Interaction: tryit.Search, Type: typ, Parameters: strings.Join(parameters, "\n")}
}

// today is the date in a time zone; in UTC if there is no such zone.
func today(zone string) string {
	location, err := time.LoadLocation(zone)
	if err != nil {
		location = time.UTC
	}
	return time.Now().In(location).Format(time.DateOnly)
}

// fill writes an example into the form. When nothing is found that it needs, the
// search for that is in the form instead, to be changed.
func (p *Pages) fill(r *page.Request, view *tryView, e example) error {
	view.Example = e.Value
	if e.First == nil {
		view.put(e.call(gjson.Result{}))
		return nil
	}
	first := *e.First
	first.Hospital = view.Hospital.ID
	view.put(first)
	found, err := p.o.Try.Find(r.Context(), r.User.ID, first)
	if err != nil {
		return err
	}
	searched := first.Type + " by " + strings.ReplaceAll(first.Parameters, "\n", ", ")
	if !found.Exists() {
		view.Note = "The example needs a " + first.Type + " first, and the hospital has none of this search: change it to one that finds something."
		return nil
	}
	view.put(e.call(found))
	view.Note = e.Why + " The form has what this search found: " + searched + "."
	return nil
}

// put writes a call into the form.
func (v *tryView) put(c tryit.Call) {
	for name, value := range map[string]string{"interaction": c.Interaction, "type": c.Type, "id": c.ID, "parameters": c.Parameters} {
		v.Form.Values.Set(name, value)
	}
}
