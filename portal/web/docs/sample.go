package docs

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"strconv"
	"strings"
	"text/template"
)

// What programs do.
const (
	taskAppointments = "appointments"
	taskPatient      = "patient"
	taskReport       = "report"
)

// How programs show who they are.
const (
	kindKey    = "key"    // an API key
	kindSecret = "secret" // a client with a secret
	kindJWT    = "jwt"    // a client that signs with its own key
)

// Languages that programs are written in.
const (
	langCurl       = "curl"
	langJavaScript = "javascript"
	langGo         = "go"
	langPython     = "python"
)

// program is what a sample is filled in with. All of it is public: secrets stay
// in the reader's environment.
type program struct {
	Task     string
	Kind     string
	Base     string // of the hospital: {public}/fhir/{hospital}
	TokenURL string
	ClientID string
	Zone     string // the hospital's time zone
	By       string // how the hospital is asked for appointments: date, location or patient
	Once     bool   // the hospital takes conditional creates of DocumentReferences

	TokenOnly bool // it prints a token with which the task can be done, for programs that cannot sign
}

// What says what the program does, for its first line.
func (p program) What() string {
	if p.TokenOnly {
		return "Prints an access token."
	}
	switch p.Task {
	case taskAppointments:
		return "Prints today's appointments."
	case taskPatient:
		return "Prints a patient who is known by an identifier."
	default:
		return "Delivers a PDF as a report about a patient."
	}
}

// NeedsPatient says that the program is told a patient's identifier.
func (p program) NeedsPatient() bool {
	return p.Task != taskAppointments || p.By == "patient"
}

// Rooms says that the program asks for appointments by location.
func (p program) Rooms() bool { return p.Task == taskAppointments && p.By == "location" }

// NeedsTime says that a program in Go needs the package time.
func (p program) NeedsTime() bool { return p.Kind != kindSecret || p.Task != taskPatient }

// Secret says where the program reads its secret.
func (p program) Secret() string {
	switch p.Kind {
	case kindKey:
		return "The API key is in FHIRGATE_KEY."
	case kindSecret:
		return "The client secret is in FHIRGATE_CLIENT_SECRET."
	default:
		return "FHIRGATE_KEY_FILE names the file with the private key, a JWK with kid and alg."
	}
}

// Scopes are those that the program needs, and no more.
func (p program) Scopes() []string {
	switch {
	case p.Task == taskAppointments && p.By == "location":
		return []string{"system/Appointment.rs", "system/Location.rs"}
	case p.Task == taskAppointments && p.By == "patient":
		return []string{"system/Appointment.rs", "system/Patient.rs"}
	case p.Task == taskAppointments:
		return []string{"system/Appointment.rs"}
	case p.Task == taskPatient:
		return []string{"system/Patient.rs"}
	case p.Once: // a conditional create searches first
		return []string{"system/Patient.rs", "system/Encounter.rs", "system/DocumentReference.crs"}
	default:
		return []string{"system/Patient.rs", "system/Encounter.rs", "system/DocumentReference.cr"}
	}
}

// Scope are the scopes as a token request has them.
func (p program) Scope() string { return strings.Join(p.Scopes(), " ") }

// Arguments are what follows the program's name on the command line.
func (p program) arguments(identifier string) string {
	switch {
	case p.Task == taskReport:
		return " " + shell(identifier) + " report.pdf R-1"
	case p.NeedsPatient():
		return " " + shell(identifier)
	default:
		return ""
	}
}

//go:embed samples/*.tmpl
var sampleFiles embed.FS

var samples = template.Must(template.New("").Funcs(template.FuncMap{"sh": shell, "quote": strconv.QuoteToASCII, "js": javaScript}).
	ParseFS(sampleFiles, "samples/*.tmpl"))

// sample writes a program in a language.
func sample(language string, p program) (string, error) {
	var text bytes.Buffer
	if err := samples.ExecuteTemplate(&text, language, p); err != nil {
		return "", fmt.Errorf("sample %s: %w", language, err)
	}
	switch language {
	case langPython:
		return tidy(text.String(), 2), nil
	case langCurl, langJavaScript:
		return tidy(text.String(), 1), nil
	}
	formatted, err := format.Source(text.Bytes())
	if err != nil {
		return "", fmt.Errorf("sample %s: %w", language, err)
	}
	return string(formatted), nil
}

// tidy leaves at most so many lines empty in a row: what is left out leaves gaps.
func tidy(text string, lines int) string {
	most := strings.Repeat("\n", lines+1)
	for strings.Contains(text, most+"\n") {
		text = strings.ReplaceAll(text, most+"\n", most)
	}
	return strings.TrimRight(text, "\n") + "\n"
}

// shell quotes a word for a POSIX shell.
func shell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// javaScript quotes a text as JavaScript is written here.
func javaScript(text string) string {
	quoted := strconv.QuoteToASCII(text)
	return "'" + strings.NewReplacer(`\"`, `"`, `'`, `\'`).Replace(quoted[1:len(quoted)-1]) + "'"
}
