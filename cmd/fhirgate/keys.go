package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/gateway/keys"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Create, list, rotate and revoke consumers' keys",
		Long: `Create, list, show, rotate and revoke keys, through the admin API of a gateway
that runs on this machine. A secret is shown once, when it is made.`,
		Example: `  fhirgate keys create --name pacs-backend --plan screening-day
  fhirgate keys list
  fhirgate keys rotate key_abc --grace 24h
  fhirgate keys revoke key_abc`,
		// Without a run of its own, cobra would take a misspelt subcommand for a
		// call for help and exit with 0.
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.PersistentFlags().Bool("demo", false, "the keys of a gateway that runs with --demo")
	cmd.AddCommand(newKeysCreate(), newKeysList(), newKeysShow(), newKeysRotate(), newKeysRevoke())
	return cmd
}

func adminClient(cmd *cobra.Command) (*gateway.AdminClient, error) {
	demo, _ := cmd.Flags().GetBool("demo") // the flag exists on the parent
	client, err := gateway.NewAdminClient(configFile(cmd), demo)
	if errors.Is(err, fs.ErrNotExist) && !demo {
		return nil, fmt.Errorf("%w; for a gateway that runs as a demo, add --demo", err)
	}
	return client, err
}

func newKeysCreate() *cobra.Command {
	var wanted gateway.NewKey
	var life time.Duration
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Make a key and show its secret, once",
		Example: `  fhirgate keys create --name pacs-backend --plan screening-day --expires-in 2160h`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			wanted.Life = gateway.Duration(life)
			issued, err := client.Create(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			return printIssued(cmd, issued)
		},
	}
	cmd.Flags().StringVar(&wanted.Name, "name", "", "who uses the key, for people")
	cmd.Flags().StringVar(&wanted.Plan, "plan", "", "plan of the key: a file in policies/")
	cmd.Flags().DurationVar(&life, "expires-in", 0, "life of the key; 0 = for ever")
	_ = cmd.MarkFlagRequired("name") // both flags exist
	_ = cmd.MarkFlagRequired("plan")
	return cmd
}

func newKeysList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all keys",
		Example: `  fhirgate keys list`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			all, err := client.List(cmd.Context())
			if err != nil {
				return err
			}
			return printKeys(cmd, all, all...)
		},
	}
}

func newKeysShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a key and the hints of its secrets",
		Example: `  fhirgate keys show key_abc`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			key, err := client.Show(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := printKeys(cmd, key, key); err != nil || asJSON(cmd) {
				return err
			}
			for _, secret := range key.Secrets {
				fmt.Fprintf(cmd.OutOrStdout(), "secret ending in %s, made %s, expires %s\n", secret.Hint, date(secret.Created), date(secret.Expires))
			}
			return nil
		},
	}
}

func newKeysRotate() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:     "rotate ID",
		Short:   "Give a key a new secret; the old one works on for a while",
		Example: `  fhirgate keys rotate key_abc --grace 24h`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			issued, err := client.Rotate(cmd.Context(), args[0], gateway.Rotation{Grace: gateway.Duration(grace)})
			if err != nil {
				return err
			}
			return printIssued(cmd, issued)
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the old secret works on; 0 = not at all")
	return cmd
}

func newKeysRevoke() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key for good, on all nodes within a second",
		Example: `  fhirgate keys revoke key_abc`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			key, err := client.Revoke(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printKeys(cmd, key, key)
		},
	}
}

func asJSON(cmd *cobra.Command) bool {
	yes, _ := cmd.Flags().GetBool("json") // the flag exists on the parent
	return yes
}

func printIssued(cmd *cobra.Command, issued *gateway.IssuedKey) error {
	out := cmd.OutOrStdout()
	if asJSON(cmd) {
		return printJSON(out, issued)
	}
	fmt.Fprintf(out, "key     %s (%s, plan %s, expires %s)\nsecret  %s\n\nThe secret is shown this once. Send it as  Authorization: Bearer %s\n",
		issued.ID, issued.Name, issued.Plan, date(issued.Expires), issued.Secret, issued.Secret)
	return nil
}

func printKeys(cmd *cobra.Command, raw any, all ...*keys.Key) error {
	out := cmd.OutOrStdout()
	if asJSON(cmd) {
		return printJSON(out, raw)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tPLAN\tSTATUS\tCREATED\tEXPIRES\tSECRETS")
	now := time.Now()
	for _, key := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", key.ID, key.Name, key.Plan, key.Status(now), date(key.Created), date(key.Expires), len(key.Secrets))
	}
	return table.Flush()
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
