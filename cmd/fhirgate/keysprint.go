package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
)

func asJSON(cmd *cobra.Command) bool {
	yes, _ := cmd.Flags().GetBool("json") // the flag exists on the parent
	return yes
}

// printIssued shows a new key or secret, and how it is used.
func printIssued(cmd *cobra.Command, issued *adminapi.IssuedKey) error {
	out := cmd.OutOrStdout()
	if asJSON(cmd) {
		return printJSON(out, issued)
	}
	about := fmt.Sprintf("%s (%s, plan %s, expires %s)", issued.ID, issued.Name, issued.Plan, date(issued.Expires))
	switch {
	case issued.Kind == keys.KindClient && issued.Secret != "":
		fmt.Fprintf(out, "client         %s\nclient_id      %s\nclient_secret  %s\n\nThe secret is shown this once. The client gets a token with\n\n  curl -sS -u %s:%s -d grant_type=client_credentials %s\n",
			about, issued.ID, issued.Secret, issued.ID, issued.Secret, issued.TokenURL)
	case issued.Kind == keys.KindClient:
		fmt.Fprintf(out, "client     %s\nclient_id  %s\n\nThe client signs an assertion with its own key (private_key_jwt), with the\nclient_id as iss and sub, and gets a token for it at  %s\n",
			about, issued.ID, issued.TokenURL)
	case issued.Secret != "":
		fmt.Fprintf(out, "key     %s\nsecret  %s\n\nThe secret is shown this once. Send it as  Authorization: Bearer %s\n", about, issued.Secret, issued.Secret)
	default:
		fmt.Fprintf(out, "%s  %s\n", issued.Kind, about)
		printDetails(out, issued.Key)
	}
	return nil
}

func printKeys(cmd *cobra.Command, raw any, all ...*keys.Key) error {
	out := cmd.OutOrStdout()
	if asJSON(cmd) {
		return printJSON(out, raw)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tKIND\tPLAN\tSTATUS\tCREATED\tEXPIRES\tLAST USED\tSECRETS")
	now := time.Now()
	for _, key := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n",
			key.ID, key.Name, key.Kind, key.Plan, key.Status(now), date(key.Created), date(key.Expires), date(key.LastUsed), len(key.Secrets))
	}
	return table.Flush()
}

// printDetails shows what a table of keys does not.
func printDetails(out io.Writer, key *keys.Key) {
	if len(key.Hospitals) > 0 {
		fmt.Fprintf(out, "narrowed to %s\n", strings.Join(key.Hospitals, ", "))
	}
	if len(key.AllowFrom) > 0 {
		fmt.Fprintf(out, "allowed from %s\n", joined(key.AllowFrom))
	}
	for _, secret := range key.Secrets {
		fmt.Fprintf(out, "secret ending in %s, made %s, expires %s\n", secret.Hint, date(secret.Created), date(secret.Expires))
	}
	for _, c := range key.Certificates {
		fmt.Fprintf(out, "certificate %s, added %s", c.SHA256, date(c.Added))
		if !c.NotAfter.IsZero() {
			fmt.Fprintf(out, ", valid until %s", date(c.NotAfter))
		}
		if !c.Until.IsZero() {
			fmt.Fprintf(out, ", taken until %s", date(c.Until))
		}
		fmt.Fprintln(out)
	}
	if key.JWKSURL != "" {
		fmt.Fprintf(out, "public keys at %s\n", key.JWKSURL)
	}
	if len(key.JWKS) > 0 {
		fmt.Fprintf(out, "public keys %s\n", key.JWKS)
	}
	if key.Kind == keys.KindExternal {
		fmt.Fprintf(out, "subject %q of %s\n", key.Subject, key.Issuer)
	}
}

func joined(prefixes []netip.Prefix) string {
	texts := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		if texts[i] = prefix.String(); prefix.IsSingleIP() {
			texts[i] = prefix.Addr().String()
		}
	}
	return strings.Join(texts, ", ")
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func date(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}
