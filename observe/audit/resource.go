package audit

// The elements of AuditEvent (https://hl7.org/fhir/R4/auditevent.html) that
// records have.

type auditEvent struct {
	ResourceType   string      `json:"resourceType"`
	Meta           *meta       `json:"meta,omitempty"`
	Extension      []extension `json:"extension"`
	Type           coding      `json:"type"`
	Subtype        []coding    `json:"subtype,omitempty"`
	Action         string      `json:"action,omitempty"`
	Recorded       string      `json:"recorded"`
	Outcome        string      `json:"outcome"`
	OutcomeDesc    string      `json:"outcomeDesc,omitempty"`
	PurposeOfEvent []concept   `json:"purposeOfEvent,omitempty"`
	Agent          []agent     `json:"agent"`
	Source         source      `json:"source"`
	Entity         []entity    `json:"entity,omitempty"`
}

type meta struct {
	Profile []string `json:"profile"`
}

type coding struct {
	System string `json:"system,omitempty"`
	Code   string `json:"code"`
}

type concept struct {
	Coding []coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

type reference struct {
	Type       string     `json:"type,omitempty"`
	Identifier identifier `json:"identifier"`
}

type agent struct {
	Type         concept    `json:"type"`
	Who          *reference `json:"who,omitempty"`
	Requestor    bool       `json:"requestor"`
	Network      *network   `json:"network,omitempty"`
	PurposeOfUse []concept  `json:"purposeOfUse,omitempty"`
}

type network struct {
	Address string `json:"address"`
	Type    string `json:"type"`
}

type source struct {
	Observer reference `json:"observer"`
	Type     []coding  `json:"type"`
}

type entity struct {
	What   *reference `json:"what,omitempty"`
	Type   coding     `json:"type"`
	Role   *coding    `json:"role,omitempty"`
	Detail []detail   `json:"detail,omitempty"`
}

type detail struct {
	Type   string `json:"type"`
	String string `json:"valueString"`
}

// extension has a value, or extensions of its own.
type extension struct {
	URL       string      `json:"url"`
	Extension []extension `json:"extension,omitempty"`
	String    string      `json:"valueString,omitempty"`
	Code      string      `json:"valueCode,omitempty"`
	Instant   string      `json:"valueInstant,omitempty"`
	Integer   *int        `json:"valueInteger,omitempty"`
	Boolean   bool        `json:"valueBoolean,omitempty"`
}

// fields returns the extensions below the one with url, by their urls.
func fields(list []extension, url string) map[string]extension {
	for _, e := range list {
		if e.URL != url {
			continue
		}
		found := make(map[string]extension, len(e.Extension))
		for _, inner := range e.Extension {
			found[inner.URL] = inner
		}
		return found
	}
	return nil
}
