package facade

import (
	"net/http"

	"fhirgate/fhir"
	"fhirgate/policies/smart"
)

// everything covers whatever a route lists.
const everything = "system/*.cruds"

// ServeCapabilities answers with a hospital's CapabilityStatement as it is for
// whoever may do all that the hospital's route lists: for the admin API, which
// knows who asks. The hospital is called in the name of asker, which is no
// consumer: of the call there is no line in the access log, the usage or the audit
// trail.
func (f *Facade) ServeCapabilities(w http.ResponseWriter, r *http.Request, hospital, asker string) {
	c := f.newCall(w, r)
	defer f.release(c)
	c.pace()
	if c.err = f.capabilities(c, hospital, asker); c.err == nil {
		return
	}
	if c.w.begun {
		panic(http.ErrAbortHandler)
	}
	f.refuse(c)
}

func (f *Facade) capabilities(c *call, hospital, asker string) error {
	if c.hospital = c.snapshot.Hospitals[hospital]; c.hospital == nil {
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "there is no hospital of this id")
	}
	scopes, err := smart.Parse([]string{everything})
	if err != nil {
		return err
	}
	c.req = fhir.Request{Interaction: fhir.Capabilities}
	c.consumer = &Consumer{KeyID: asker}
	c.access = smart.NewAccess(smart.Holder{Base: c.hospital.public}, c.hospital.Denied, scopes)
	if c.permission, err = c.permit(c.req, ""); err != nil {
		return err
	}
	return inOrder(c, f.adapt, f.send, f.present)
}
