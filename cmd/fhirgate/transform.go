package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/transforms"
	"fhirgate/transforms/links"
)

// headSize is how much of a file is read, in bytes, to find out what it is.
const headSize = 64 << 10

func newTransform() *cobra.Command {
	var t transform
	cmd := &cobra.Command{
		Use:   "transform --vendor NAME FILE|-",
		Short: "Show what the vendor rules make of an answer, or of a body",
		Long: `Take a file through the rules of a vendor, as an answer of a hospital: a
resource, a Bundle, or NDJSON with a resource a line. The result goes to the
standard output, to the byte what a caller would get; locators are not moved.

With --back the file goes the other way: a resource that the caller sends, or a
JSON Patch. What the rules had changed is taken back, and the rules for requests
are applied.

With --explain, what each rule did comes in place of the result: how many
resources or entries it changed, and the first of them before and after.

The vendor's file is that of the configuration's folder, else the one that
comes with fhirgate.`,
		Example: `  fhirgate transform --vendor epic patient.json
  fhirgate transform --vendor epic --request 'GET Appointment?date=2026-11-22' --explain day.json
  fhirgate transform --vendor oracle --set tenant=ec2458f2 Patient.ndjson > out.ndjson
  fhirgate transform --vendor oracle --status 429 --explain refusal.json
  fhirgate transform --vendor epic patient.json | fhirgate transform --vendor epic --back -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vendor, err := findVendor(cmd, t.vendorName)
			if err != nil {
				return err
			}
			t.vendor, t.out = vendor, cmd.OutOrStdout()
			if args[0] == "-" {
				return t.withVars(t.run(cmd.InOrStdin(), ""))
			}
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			return t.withVars(t.run(file, args[0]))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.vendorName, "vendor", "", "whose rules: a file's name without .yaml")
	flags.StringVar(&t.request, "request", "", "the call: METHOD path?query below the hospital's base (default: one that fits the file)")
	flags.IntVar(&t.status, "status", http.StatusOK, "the answer's status; from 400 on it is shown what the error means")
	flags.StringVar(&t.call.Hospital, "hospital", "hospital", "id of the route")
	flags.StringArrayVar(&t.vars, "set", nil, "a var of the route, name=value; may be repeated")
	flags.StringVar(&t.zone, "time-zone", "UTC", "of the hospital, such as America/Chicago")
	flags.StringVar(&t.base, "base", "https://hospital.example/fhir", "the hospital's FHIR base, for rules on bodies")
	flags.BoolVar(&t.call.Raw, "raw", false, "as for a caller who sends X-Fhirgate-Raw: true")
	flags.BoolVar(&t.explain, "explain", false, "tell what each rule did")
	flags.BoolVar(&t.back, "back", false, "the way in: from the caller to the hospital")
	_ = cmd.MarkFlagRequired("vendor") // the flag exists
	return cmd
}

// withVars adds to an error how to give the vars that the rules lack.
func (t *transform) withVars(err error) error {
	if err == nil || !strings.Contains(err.Error(), "the route has no var") {
		return err
	}
	missing := t.vendor.CheckVars(t.call.Hospital, nil, t.call.Vars)
	return fmt.Errorf("%w; the rules read %s: give each with --set NAME=VALUE", err, strings.Join(missing, ", "))
}

// findVendor returns the vendor of a configuration, or one that is shipped.
func findVendor(cmd *cobra.Command, name string) (*transforms.Vendor, error) {
	vendors, err := transforms.Load(transforms.Shipped, ".")
	if err != nil {
		return nil, err
	}
	file, where := configFile(cmd), "; only those that come with fhirgate are known where there is no tyk.conf"
	if _, err := os.Stat(file); err == nil || cmd.Flags().Changed("config") {
		where = ""
		config, err := engine.LoadConfig(file)
		if err != nil {
			return nil, err
		}
		own, err := transforms.Load(strict.Disk{}, config.Settings.Transforms)
		if err != nil {
			return nil, err
		}
		maps.Copy(vendors, own)
	}
	if vendor := vendors[name]; vendor != nil {
		return vendor, nil
	}
	return nil, errors.New(strict.Unknown("vendor", name, slices.Sorted(maps.Keys(vendors))) + where)
}

// transform is a file on its way through the rules of a vendor.
type transform struct {
	vendorName    string
	request       string
	status        int
	vars          []string // name=value
	zone          string
	base          string // of the hospital
	explain, back bool

	vendor *transforms.Vendor
	call   transforms.Call
	query  string
	out    io.Writer
}

// run takes in through the rules. name is that of its file; empty = none.
func (t *transform) run(in io.Reader, name string) error {
	reader := bufio.NewReaderSize(in, headSize)
	head, err := reader.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := t.complete(head); err != nil {
		return err
	}
	trial := &transforms.Trial{
		Call: t.call, Query: t.query, Status: t.status, Base: "https://gateway.example/fhir/" + t.call.Hospital, Now: time.Now(),
		Lines: strings.HasSuffix(name, ".ndjson") || severalLines(head),
	}
	switch {
	case t.back:
		return t.takeBack(reader)
	case t.status >= http.StatusBadRequest:
		return t.refuse(reader)
	}
	if err := t.vendor.Succeeded(t.call, t.query, t.status, head); err != nil {
		return err
	}
	if t.explain {
		return t.explainAnswer(reader, trial)
	}
	var frozen []int64
	if file, ok := in.(*os.File); ok && isRegular(file) {
		// Read once before anything is written: what a rule fails on, or a
		// signature at the end of a Bundle, shows only then.
		if frozen, err = t.check(file, trial); err != nil {
			return err
		}
		reader.Reset(file)
	}
	err = t.stream(t.out, reader, trial, frozen)
	var signed *links.SignedError
	if errors.As(err, &signed) {
		return fmt.Errorf("%w: give it as a file, which can be read twice", err)
	}
	return err
}

// complete fills in the call.
func (t *transform) complete(head []byte) error {
	zone, err := time.LoadLocation(t.zone)
	if err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	t.call.Zone, t.call.Header, t.call.Vars = zone, make(http.Header), make(map[string]string)
	for _, text := range t.vars {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return errors.New("--set must be name=value")
		}
		t.call.Vars[name] = value
	}
	request := t.request
	if request == "" {
		if request, err = t.guess(head); err != nil {
			return err
		}
	}
	if t.call, t.query, err = transforms.ParseCall(t.call, request); err != nil {
		return fmt.Errorf("--request must be METHOD path?query: %w", err)
	}
	return nil
}

// guess returns a call that a file may come from, or be sent by.
func (t *transform) guess(head []byte) (string, error) {
	first := gjson.ParseBytes(head)
	typ, id := first.Get("resourceType").Str, first.Get("id").Str
	switch {
	case t.back && typ == "":
		return "", errors.New("the file is no resource: say with --request what is sent, such as 'PATCH Patient/1'")
	case t.back && id == "":
		return "POST " + typ, nil
	case t.back:
		return "PUT " + typ + "/" + id, nil
	case typ == "Bundle":
		return "GET " + first.Get("entry.0.resource.resourceType").Str, nil
	case typ == "":
		return "GET metadata", nil // an error's body, say
	default:
		return "GET " + typ + "/1", nil
	}
}

// severalLines reports whether a file that begins with head holds a JSON value
// a line.
func severalLines(head []byte) bool {
	first, rest, _ := bytes.Cut(bytes.TrimLeft(head, " \t\r\n"), []byte("\n"))
	return json.Valid(first) && len(bytes.TrimSpace(rest)) > 0
}

// check reads a file and returns its signed Bundles (links.Map.Frozen).
func (t *transform) check(file *os.File, trial *transforms.Trial) (frozen []int64, err error) {
	for {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		err := t.stream(io.Discard, file, trial, frozen)
		var signed *links.SignedError
		if errors.As(err, &signed) {
			frozen = append(frozen, signed.Offset)
			continue
		}
		if err != nil {
			return nil, err
		}
		_, err = file.Seek(0, io.SeekStart)
		return frozen, err
	}
}

// isRegular reports whether a file can be read twice.
func isRegular(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// stream takes an answer through the rules, with flat memory.
func (t *transform) stream(out io.Writer, in io.Reader, trial *transforms.Trial, frozen []int64) error {
	rules := t.vendor.Answer(trial.Call, trial.Query, trial.Status, trial.Base, trial.Now)
	defer rules.Release()
	w := links.NewWriter(out, &links.Map{Edit: rules.Edit(), Lines: trial.Lines, Frozen: frozen})
	_, err := io.Copy(w, in)
	if closing := w.Close(); err == nil {
		err = closing
	}
	return err
}
