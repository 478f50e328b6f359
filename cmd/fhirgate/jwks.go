package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"fhirgate/gateway/adminapi"
	"fhirgate/upstream/jwks"
)

func newJWKS() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jwks",
		Short: "Create, rotate, retire and export the gateway's keys towards hospitals",
		Long: `Keep the keys with which the gateway signs its logins at hospitals (SMART
Backend Services), through the admin API of a gateway that runs on this machine.

A ring is a series of keys. Hospitals fetch its public keys from
/.well-known/jwks/RING.json, and vendors keep what they fetched for up to 29
hours. A new key is therefore published first and signs later (--after), and the
old one stays published for as long again: no call fails.`,
		Example: `  fhirgate jwks create pacs-2026 --alg ES384
  fhirgate jwks list
  fhirgate jwks rotate pacs-2026
  fhirgate jwks export pacs-2026 >jwks.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.PersistentFlags().Bool("demo", false, "the rings of a gateway that runs with --demo")
	cmd.AddCommand(newJWKSCreate(), newJWKSList(), newJWKSRotate(), newJWKSRetire(), newJWKSExport())
	return cmd
}

func newJWKSCreate() *cobra.Command {
	var wanted adminapi.NewRing
	var alg string
	var after time.Duration
	cmd := &cobra.Command{
		Use:   "create RING",
		Short: "Make a ring with its first key, which signs at once",
		Long: `Make a ring with its first key, which is published and signs at once. Register
the ring's URL with the hospital, then name the ring in the hospital's file.`,
		Example: `  fhirgate jwks create pacs-2026 --alg ES384
  fhirgate jwks create veradigm --alg RS384 --bits 2048 --after 25h`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			wanted.Name, wanted.Alg, wanted.After = args[0], jose.SignatureAlgorithm(alg), adminapi.Duration(after)
			ring, err := client.CreateRing(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			if err := printRings(cmd, ring, *ring); err != nil || asJSON(cmd) {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\nRegister this URL with the hospital:  %s\n", ring.URL)
			return nil
		},
	}
	cmd.Flags().StringVar(&alg, "alg", string(jwks.DefaultAlg), "algorithm: RS384, ES384, RS256 or ES256")
	cmd.Flags().IntVar(&wanted.Bits, "bits", 0, fmt.Sprintf("size of RSA keys, 2048 to 4096 (default %d)", jwks.DefaultBits))
	cmd.Flags().DurationVar(&after, "after", jwks.DefaultAfter, "how long a new key is published before it signs: longer than vendors cache")
	return cmd
}

func newJWKSList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all rings and their keys, with what will become of them",
		Example: `  fhirgate jwks list
  fhirgate jwks list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			all, err := client.Rings(cmd.Context())
			if err != nil {
				return err
			}
			return printRings(cmd, all, all...)
		},
	}
}

func newJWKSRotate() *cobra.Command {
	var after time.Duration
	cmd := &cobra.Command{
		Use:   "rotate RING",
		Short: "Publish a ring's next key, which takes over by itself later",
		Long: `Publish a ring's next key. The one in use signs on until all vendors have had
the time to fetch the next (the ring's --after), then the next takes over by
itself on all nodes, and the old one leaves the set after as long again.`,
		Example: `  fhirgate jwks rotate pacs-2026
  fhirgate jwks rotate pacs-2026 --after 48h`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			ring, err := client.RotateRing(cmd.Context(), args[0], adminapi.RingRotation{After: adminapi.Duration(after)})
			if err != nil {
				return err
			}
			return printRings(cmd, ring, *ring)
		},
	}
	cmd.Flags().DurationVar(&after, "after", 0, "how long the new key is published before it signs, for this rotation and later ones (default as it is)")
	return cmd
}

func newJWKSRetire() *cobra.Command {
	var wanted adminapi.KeyRetirement
	cmd := &cobra.Command{
		Use:   "retire RING KID",
		Short: "End a key at once, in an emergency",
		Long: `Take a key out of the set at once, and destroy it: on all nodes within a second.
Vendors may accept it for as long as they keep what they fetched; tell them.

When it was the key that signs, the one before it signs again if it is still
published. If there is none, retire refuses, since calls would fail: rotate
instead, and wait. With --force, the next key or a new one signs at once, and
calls fail at vendors that have not fetched it yet.`,
		Example: `  fhirgate jwks retire pacs-2026 x7JkbQ…
  fhirgate jwks retire pacs-2026 x7JkbQ… --force`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			wanted.KID = args[1]
			ring, err := client.RetireKey(cmd.Context(), args[0], wanted)
			if err != nil {
				return err
			}
			return printRings(cmd, ring, *ring)
		},
	}
	cmd.Flags().BoolVar(&wanted.Force, "force", false, "even if it is the only key that vendors know")
	return cmd
}

func newJWKSExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export [RING]",
		Short: "Write the public keys of a ring, or of all, as a JWK set",
		Long: `Write the public keys of a ring, or of all rings, to standard output as a JWK
set, for static hosting where hospitals cannot reach the gateway. Publish it
anew after every rotation, before the new key signs, and after a retirement.`,
		Example: `  fhirgate jwks export pacs-2026 >jwks.json`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			set, err := client.ExportSet(cmd.Context(), name)
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), set)
		},
	}
}

func printRings(cmd *cobra.Command, raw any, all ...adminapi.Ring) error {
	out := cmd.OutOrStdout()
	if asJSON(cmd) {
		return printJSON(out, raw)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RING\tALG\tKID\tSTATE\tPUBLISHED\tSIGNS\tUNTIL\tLEAVES")
	for _, ring := range all {
		for _, key := range ring.Keys {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", ring.Name, ring.Alg, key.KID, key.State,
				moment(key.Published), moment(key.Activates), moment(key.Stops), moment(key.Leaves))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, ring := range all {
		if ring.Problem != "" {
			fmt.Fprintf(out, "\n%s: %s\n", ring.Name, ring.Problem)
		}
	}
	return nil
}

// moment is a time that may not be known yet.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return date(t)
}
