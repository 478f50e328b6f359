package docs

import (
	"slices"
	"strings"

	"fhirgate/gateway/adminapi"
)

// askedBy says how a hospital is asked for the appointments of a day, by vendor;
// the others by the day alone.
var askedBy = map[string]string{"epic": "patient", "oracle": "location"}

// simulatedPatients are identifiers at the simulated hospitals, by vendor. At a
// real one the reader has to know one.
var simulatedPatients = map[string]string{
	"epic":   "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.14|200000",
	"oracle": "urn:oid:2.16.840.1.113883.6.1000|200000",
	"hapi":   "https://hospital.example/mrn|200000",
}

// fillIn writes the program that was chosen, and the commands around it.
func (p *Pages) fillIn(view *quickView) error {
	h := view.Hospital
	view.Program.Base = p.o.PublicURL + "/fhir/" + h.ID
	view.Program.TokenURL = p.o.PublicURL + "/oauth/token"
	view.Program.Zone = h.TimeZone
	view.Program.By = "date"
	if by := askedBy[h.Vendor]; by != "" {
		view.Program.By = by
	}
	view.Program.Once = slices.Contains(h.Interactions["DocumentReference"], "conditional-create")
	view.Export, view.FirstTry = export(view.Program), firstCall(view.Program)
	view.Install = install(view.Language, view.Program.Kind)
	view.File, view.Run = commands(view.Language, view.Program, patientAt(h))
	var err error
	if view.Language == langCurl && view.Program.Kind == kindJWT {
		token := view.Program
		token.TokenOnly = true
		if view.Token, err = sample(langJavaScript, token); err != nil {
			return err
		}
	}
	view.Code, err = sample(view.Language, view.Program)
	return err
}

func patientAt(h adminapi.Hospital) string {
	if known := simulatedPatients[h.Vendor]; known != "" && h.Simulated() {
		return known
	}
	return "SYSTEM|VALUE"
}

// export is how the secret comes into the environment, without a trace in the
// history of the shell. There is no comment in it, which zsh would not take for one.
func export(p program) string {
	switch p.Kind {
	case kindKey:
		return "read -rs FHIRGATE_KEY && export FHIRGATE_KEY"
	case kindSecret:
		return "read -rs FHIRGATE_CLIENT_SECRET && export FHIRGATE_CLIENT_SECRET"
	default:
		return "export FHIRGATE_KEY_FILE=\"$PWD/private.json\""
	}
}

// firstCall is one line that shows whether the credential works.
func firstCall(p program) string {
	switch p.Kind {
	case kindKey:
		return `curl -H "Authorization: Bearer $FHIRGATE_KEY" ` + shell(p.Base+"/metadata")
	case kindSecret:
		return "curl -u " + shell(p.ClientID) + `":$FHIRGATE_CLIENT_SECRET" -d grant_type=client_credentials ` + shell(p.TokenURL)
	default:
		return ""
	}
}

// install is what a program needs beside its language.
func install(language, kind string) string {
	switch {
	case language == langJavaScript && kind == kindJWT:
		return "npm install fhirclient@2.6 jose"
	case language == langJavaScript:
		return "npm install fhirclient@2.6"
	case language == langGo && kind == kindSecret:
		return "go mod init example && go get golang.org/x/oauth2"
	case language == langGo && kind == kindJWT:
		return "go mod init example && go get golang.org/x/oauth2 github.com/go-jose/go-jose/v4"
	case language == langPython && kind == kindJWT:
		return "pip install joserfc"
	default:
		return ""
	}
}

// commands returns the name of a program and how it is run.
func commands(language string, p program, identifier string) (file, run string) {
	file = p.Task + map[string]string{langCurl: ".sh", langJavaScript: ".mjs", langGo: ".go", langPython: ".py"}[language]
	command := map[string]string{langCurl: "bash ", langJavaScript: "node ", langGo: "go run ", langPython: "python3 "}[language]
	return file, strings.TrimSpace(command + file + p.arguments(identifier))
}
