package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/gateway/adminapi"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Create, list, change, rotate and revoke consumers' keys, clients and certificates",
		Long: `Create, list, show, change, rotate and revoke consumers, through the admin API
of a gateway that runs on this machine. A secret is shown once, when it is made.

A consumer is of one of four kinds:

  key          sends an API key
  client       an OAuth 2.0 client: gets tokens for a secret or with its own keys
  external     a subject of an outside identity provider
  certificate  shows a client certificate (mutual TLS) and nothing else`,
		Example: `  fhirgate keys create --name pacs-backend --plan screening-day
  fhirgate keys create --name viewer --plan screening-day --kind client
  fhirgate keys list
  fhirgate keys update key_abc --allow-from 192.0.2.0/24
  fhirgate keys rotate key_abc --grace 24h
  fhirgate keys revoke key_abc`,
		// Without a run of its own, cobra would take a misspelt subcommand for a
		// call for help and exit with 0.
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.PersistentFlags().Bool("demo", false, "the keys of a gateway that runs with --demo")
	cmd.AddCommand(newKeysCreate(), newKeysList(), newKeysShow(), newKeysUpdate(), newKeysRotate(), newKeysRevoke())
	return cmd
}

func adminClient(cmd *cobra.Command) (*adminapi.Client, error) {
	demo, _ := cmd.Flags().GetBool("demo") // the flag exists on the parent
	client, err := gateway.NewAdminClient(configFile(cmd), demo)
	if errors.Is(err, fs.ErrNotExist) && !demo {
		return nil, fmt.Errorf("%w; for a gateway that runs as a demo, add --demo", err)
	}
	return client, err
}

func newKeysList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all keys, with when each was last used",
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
		Short:   "Show all of a key but its secrets, of which it shows hints",
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
			printDetails(cmd.OutOrStdout(), key)
			return nil
		},
	}
}

func newKeysRotate() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a key or client a new secret; the old one works on for a while",
		Example: `  fhirgate keys rotate key_abc --grace 24h
  fhirgate keys rotate key_abc --grace 0     # the old one is in wrong hands`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			issued, err := client.Rotate(cmd.Context(), args[0], adminapi.Rotation{Grace: adminapi.Duration(grace)})
			if err != nil {
				return err
			}
			return printIssued(cmd, issued)
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the old secret works on, such as 48h; 0 = not at all")
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
