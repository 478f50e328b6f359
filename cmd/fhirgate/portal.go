package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/portal/identity"
	"fhirgate/portal/store"
)

func newPortal() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "portal",
		Short: "Run the developers' portal apart from the gateway",
		Long: `Run the developers' portal and the administrators' console until SIGTERM or
SIGINT. With the section "portal" in tyk.conf, serve runs them already: this
command is for another process or machine, with the same settings, the same
database, and the gateway's admin API within reach (portal.admin_url). The secret
of the admin API is read from the file admin-secret in the data folder.`,
		Example: `  fhirgate portal -c /etc/fhirgate/tyk.conf
  fhirgate portal invite --admin you@pacs.example
  fhirgate portal acts verify`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return gateway.ServePortal(cmd.Context(), portalOptions(cmd))
		},
	}
	addDemoFlag(cmd, new(bool))
	cmd.AddCommand(newPortalInvite(), newPortalActs())
	return cmd
}

func portalOptions(cmd *cobra.Command) gateway.PortalOptions {
	demo, _ := cmd.Flags().GetBool("demo") // each of the commands has the flag
	return gateway.PortalOptions{ConfigFile: configFile(cmd), Demo: demo, Version: buildVersion(), Log: os.Stderr}
}

func newPortalInvite() *cobra.Command {
	var admin bool
	cmd := &cobra.Command{
		Use:   "invite EMAIL",
		Short: "Print a link by which somebody makes an account",
		Long: `Print a link by which the owner of an e-mail address makes an account. It works
once, for seven days.

With --admin the account is an administrator's. That is how the first one comes to
be, and how one who has lost password and second factor gets in again: an account
that exists becomes an administrator's if it is none, is enabled, and loses both;
the link sets a new password, within a day.`,
		Example: `  fhirgate portal invite --admin you@pacs.example
  fhirgate portal invite colleague@pacs.example`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			records, settings, err := gateway.OpenPortalStore(cmd.Context(), portalOptions(cmd))
			if err != nil {
				return err
			}
			defer records.Close()
			var link string
			if admin {
				var before store.User
				link, before, err = identity.FirstAdmin(cmd.Context(), records, settings.PublicURL, args[0])
				if err == nil && before.ID != "" {
					fmt.Fprintln(cmd.ErrOrStderr(), recovered(before))
				}
			} else {
				inviter := identity.NewInviter(records, settings.PublicURL, nil, nil)
				link, _, err = inviter.Invite(cmd.Context(), store.System, store.Invitation{Email: args[0], Role: store.RoleDeveloper})
			}
			if err != nil {
				return inWords(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), link)
			return nil
		},
	}
	cmd.Flags().BoolVar(&admin, "admin", false, "the account is an administrator's")
	addDemoFlag(cmd, new(bool))
	return cmd
}

// recovered tells what has become of an account that FirstAdmin found.
func recovered(before store.User) string {
	text := before.Email + " has an account: its password and its second factor are taken away, and the link sets a new password."
	if before.Role != store.RoleAdmin {
		text += " It was a developer's, and is an administrator's now."
	}
	if !before.Disabled.IsZero() {
		text += " It was disabled, and is not any more."
	}
	return text
}

// inWords gives a refusal the sentence that is for people: its own text is for
// the log.
func inWords(err error) error {
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return errors.New(refusal.Text)
	}
	return err
}

func newPortalActs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "acts",
		Short: "Export and verify the trail of what was done in the portal",
		Long: `Export and verify the trail of acts: who did what in the portal and the console.
Each act holds a keyed hash of the one before it, so that none can be changed,
removed or put between without the key, which is the file acts_key_file.`,
		Example: `  fhirgate portal acts verify
  fhirgate portal acts export >acts.jsonl
  fhirgate portal acts verify acts.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	verify := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check the chain of acts in the database, or in an export",
		Example: `  fhirgate portal acts verify
  fhirgate portal acts verify acts.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			verdict, err := verifyActs(cmd, args)
			if err != nil {
				return err
			}
			if verdict.Broken != 0 || verdict.Problem != "" {
				return fmt.Errorf("the chain of acts is broken at act %d: %s", verdict.Broken, verdict.Problem)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d %s, the last %s\n  intact\n", verdict.Count, plural(int(verdict.Count), "act", "acts"), verdict.Head)
			return nil
		},
	}
	export := &cobra.Command{
		Use:     "export",
		Short:   "Print all acts as JSON lines",
		Example: `  fhirgate portal acts export >acts.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			records, _, err := gateway.OpenPortalStore(cmd.Context(), portalOptions(cmd))
			if err != nil {
				return err
			}
			defer records.Close()
			_, _, err = records.ExportActs(cmd.Context(), cmd.OutOrStdout())
			return err
		},
	}
	addDemoFlag(verify, new(bool))
	addDemoFlag(export, new(bool))
	cmd.AddCommand(verify, export)
	return cmd
}

// verifyActs checks the acts in the file that is named, or in the database.
func verifyActs(cmd *cobra.Command, args []string) (store.Verdict, error) {
	if len(args) == 0 {
		records, _, err := gateway.OpenPortalStore(cmd.Context(), portalOptions(cmd))
		if err != nil {
			return store.Verdict{}, err
		}
		defer records.Close()
		return records.VerifyActs(cmd.Context())
	}
	key, err := gateway.PortalActsKey(portalOptions(cmd))
	if err != nil {
		return store.Verdict{}, err
	}
	file, err := os.Open(args[0])
	if err != nil {
		return store.Verdict{}, err
	}
	defer file.Close()
	return store.VerifyExport(file, key), nil
}
