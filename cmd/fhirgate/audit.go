package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/gateway/engine"
	"fhirgate/observe/audit"
)

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Search and verify the audit trail",
		Long: `Search and verify the audit trail: who touched which patient, at which hospital.
Both read the folder and the keys that tyk.conf names, without the gateway, and
may run while it runs.`,
		Example: `  fhirgate audit find --hospital st-mary --patient 123
  fhirgate audit verify`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().String("folder", "", "folder of the records, if it is not the one in tyk.conf")
	cmd.PersistentFlags().String("keys-file", "", "file of the keys, if it is not the one in tyk.conf")
	cmd.PersistentFlags().Bool("demo", false, "the trail of a gateway that ran with --demo")
	cmd.AddCommand(newAuditFind(), newAuditVerify())
	return cmd
}

// auditTrail returns the folder and the keys: of the flags, or of tyk.conf.
func auditTrail(cmd *cobra.Command) (folder string, keys jose.JSONWebKeySet, err error) {
	folder, _ = cmd.Flags().GetString("folder") // the flags exist on the parent
	file, _ := cmd.Flags().GetString("keys-file")
	if folder == "" || file == "" {
		settings, err := auditSettings(cmd)
		if err != nil {
			return "", keys, err
		}
		if folder == "" {
			folder = settings.Folder
		}
		if file == "" {
			file = settings.KeysFile
		}
	}
	keys, err = audit.ReadKeys(file)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("demo") && !cmd.Flags().Changed("keys-file") {
		err = fmt.Errorf("%w; for a gateway that ran as a demo, add --demo", err)
	}
	return folder, keys, err
}

func auditSettings(cmd *cobra.Command) (audit.Config, error) {
	if demo, _ := cmd.Flags().GetBool("demo"); demo { // the flag exists on the parent
		checked, err := gateway.Check(configFile(cmd), true)
		if err != nil {
			return audit.Config{}, err
		}
		return checked.Config.Settings.Audit, nil
	}
	config, err := engine.LoadConfig(configFile(cmd))
	if err != nil {
		return audit.Config{}, err
	}
	return config.Settings.Audit, nil
}

func newAuditFind() *cobra.Command {
	var wanted audit.FindOptions
	var since, until string
	var lines bool
	cmd := &cobra.Command{
		Use:   "find",
		Short: "List the calls that touched a patient, or that a consumer made",
		Long: `List the calls of the audit trail that match: at a hospital, to a patient or
another resource there, by a consumer, in a span of time. The trail holds no
reference in clear; what you name is hashed as the records are, and compared.

--patient - and --resource - read it from standard input, so that it stays out of
the shell's history. A record that held more references than are kept is listed
too, and marked: what you look for may be among them.`,
		Example: `  fhirgate audit find --hospital st-mary --patient 123
  fhirgate audit find --hospital st-mary --patient - --since 2026-11-01 --until 2026-11-22
  fhirgate audit find --consumer key_abc --since 2026-11-22T08:00:00Z --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if wanted.From, err = day(since, 0); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			if wanted.Until, err = day(until, 1); err != nil {
				return fmt.Errorf("--until: %w", err)
			}
			in := bufio.NewReader(cmd.InOrStdin())
			for _, id := range []*string{&wanted.Patient, &wanted.Resource} {
				if *id == "-" {
					if *id, err = firstLine(in); err != nil {
						return err
					}
				}
			}
			if wanted.Resource != "" && !strings.Contains(wanted.Resource, "/") {
				return errors.New("--resource: must be a type and an id, such as Observation/7")
			}
			if wanted.Patient != "" && !strings.Contains(wanted.Patient, "/") {
				wanted.Patient = "Patient/" + wanted.Patient
			}
			if wanted.Folder, wanted.Keys, err = auditTrail(cmd); err != nil {
				return err
			}
			if lines {
				return printFoundJSON(cmd, wanted)
			}
			return printFound(cmd, wanted)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&wanted.Hospital, "hospital", "", "id of the hospital; needed for a patient or a resource")
	flags.StringVar(&wanted.Patient, "patient", "", "id of the patient at the hospital, or - to read it")
	flags.StringVar(&wanted.Resource, "resource", "", "a resource at the hospital, such as Observation/7, or - to read it")
	flags.StringVar(&wanted.Consumer, "consumer", "", "id of the consumer, as fhirgate keys list shows it")
	flags.StringVar(&since, "since", "", "first day (2026-11-01) or moment (2026-11-01T08:00:00Z)")
	flags.StringVar(&until, "until", "", "last day, as a whole, or the moment before which")
	flags.BoolVar(&lines, "json", false, "print JSON, one object a line")
	return cmd
}

// day reads a moment, or a day here: its beginning, plus so many days.
func day(text string, plus int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t.AddDate(0, 0, plus), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, errors.New(`must be a day such as "2026-11-01" or a moment such as "2026-11-01T08:00:00Z"`)
	}
	return t, nil
}

func firstLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return "", errors.New("nothing to look for stands on standard input")
	}
	return line, nil
}

// tableRows is how many rows of a table are aligned with one another: it is
// printed in parts, whatever its length.
const tableRows = 500

func printFound(cmd *cobra.Command, wanted audit.FindOptions) error {
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TIME\tCONSUMER\tON BEHALF OF\tPURPOSE\tINTERACTION\tTYPE\tOUTCOME\tREQUEST\t")
	rows, unsure := 0, 0
	var missed unread
	for found, err := range audit.Find(cmd.Context(), wanted) {
		if err != nil {
			missed.add(err)
			continue
		}
		e := &found.Event
		note := ""
		if found.Maybe {
			unsure++
			note = "perhaps"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Time.Local().Format(time.DateTime), dash(e.Consumer), dash(e.OnBehalfOf),
			dash(e.Purpose), dash(interactionOf(e)), dash(e.Type), outcomeOf(e), dash(e.RequestID), note)
		if rows++; rows%tableRows == 0 {
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if rows == 0 && missed.first == nil { // the trail cannot tell a patient without calls from a name misspelt
		fmt.Fprintln(cmd.ErrOrStderr(), "no record matches, nor would one if the hospital, the patient or the consumer is misspelt")
	}
	if unsure > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "perhaps: %d %s not all references that were touched\n", unsure, plural(unsure, "record holds", "records hold"))
	}
	return missed.err()
}

// unread are the errors of a search: the first of them, and how many more.
type unread struct {
	first error
	more  int
}

func (u *unread) add(err error) {
	if u.first != nil {
		u.more++
		return
	}
	u.first = err
}

func (u *unread) err() error {
	if u.more > 0 {
		return fmt.Errorf("%w, and %d more errors: see fhirgate audit verify", u.first, u.more)
	}
	return u.first
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func interactionOf(e *audit.Event) string {
	text := e.Interaction
	if e.Operation != "" {
		text += " $" + e.Operation
	}
	if e.Entry >= 0 {
		text += fmt.Sprintf(" [%d]", e.Entry)
	}
	return text
}

func outcomeOf(e *audit.Event) string {
	switch {
	case e.Status == 0:
		return "caller left"
	case e.Aborted:
		return fmt.Sprintf("%d broken off", e.Status)
	default:
		return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Issue))
	}
}

// foundCall is a call as JSON tells it.
type foundCall struct {
	Time        time.Time `json:"time"`
	RequestID   string    `json:"request_id,omitempty"`
	Consumer    string    `json:"consumer,omitempty"`
	Plan        string    `json:"plan,omitempty"`
	Way         string    `json:"way,omitempty"`
	OnBehalfOf  string    `json:"on_behalf_of,omitempty"`
	Purpose     string    `json:"purpose,omitempty"`
	Address     string    `json:"address,omitempty"`
	Hospital    string    `json:"hospital,omitempty"`
	Interaction string    `json:"interaction,omitempty"`
	Type        string    `json:"type,omitempty"`
	Operation   string    `json:"operation,omitempty"`
	Entry       *int      `json:"entry,omitempty"` // of a batch
	Status      int       `json:"status"`
	Issue       string    `json:"issue,omitempty"`
	Aborted     bool      `json:"aborted,omitempty"`
	Perhaps     bool      `json:"perhaps,omitempty"`
	Node        string    `json:"node"`
	Record      uint64    `json:"record"`
}

func printFoundJSON(cmd *cobra.Command, wanted audit.FindOptions) error {
	out := bufio.NewWriter(cmd.OutOrStdout())
	encoder := json.NewEncoder(out)
	var missed unread
	for found, err := range audit.Find(cmd.Context(), wanted) {
		if err != nil {
			missed.add(err)
			continue
		}
		e := &found.Event
		call := foundCall{
			Time: e.Time, RequestID: e.RequestID, Consumer: e.Consumer, Plan: e.Plan, Way: e.Way, OnBehalfOf: e.OnBehalfOf, Purpose: e.Purpose,
			Hospital: e.Hospital, Interaction: e.Interaction, Type: e.Type, Operation: e.Operation,
			Status: e.Status, Issue: e.Issue, Aborted: e.Aborted, Perhaps: found.Maybe, Node: found.Node, Record: found.Sequence,
		}
		if e.Address.IsValid() {
			call.Address = e.Address.String()
		}
		if e.Entry >= 0 {
			call.Entry = &e.Entry
		}
		if err := encoder.Encode(call); err != nil {
			return err
		}
	}
	return errors.Join(out.Flush(), missed.err())
}
