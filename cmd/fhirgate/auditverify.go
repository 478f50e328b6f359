package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fhirgate/observe/audit"
)

func newAuditVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was changed, removed or put between",
		Long: `Check the chain of every node: each record holds a keyed hash of the one before
it, and a sealed head says how far the trail goes. Every problem is told with its
file and line, and the command then fails.

What it can't find is that the whole folder was put back to an earlier state. The
number and the hash of the last record are printed: keep them elsewhere, and
compare.`,
		Example: `  fhirgate audit verify
  fhirgate audit verify --folder /backup/audit --keys-file /secure/audit-keys`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, keys, err := auditTrail(cmd)
			if err != nil {
				return err
			}
			chains, err := audit.Verify(cmd.Context(), folder, keys)
			if err != nil {
				return err
			}
			if len(chains) == 0 {
				return fmt.Errorf("%s: holds no audit trail", folder)
			}
			problems := 0
			for _, chain := range chains {
				printChain(cmd.OutOrStdout(), &chain)
				problems += len(chain.Problems) + chain.Unlisted
			}
			if problems > 0 {
				return fmt.Errorf("%d %s in the audit trail", problems, plural(problems, "problem", "problems"))
			}
			return nil
		},
	}
}

func printChain(out io.Writer, c *audit.Chain) {
	if c.Node != "" {
		fmt.Fprintf(out, "node %s: %d %s, %d %s", c.Node, c.Files, plural(c.Files, "file", "files"), c.Records, plural(int(c.Records), "record", "records"))
		if c.Records > 0 {
			fmt.Fprintf(out, " (%d to %d), the last %s", c.First, c.Last, c.Hash)
		}
		fmt.Fprintln(out)
	}
	if c.Removed > 0 {
		fmt.Fprintf(out, "  records 1 to %d were removed for their age\n", c.Removed)
	}
	for _, gap := range c.Gaps {
		fmt.Fprintf(out, "  gap: %d %s lost while the trail could not be written, from %s to %s (record %d)\n",
			gap.Lost, plural(int(gap.Lost), "event", "events"), moment(gap.From), moment(gap.Until), gap.Sequence)
	}
	for _, restart := range c.Restarts {
		fmt.Fprintf(out, "  killed before %s: what came in the last second may not be recorded; %d bytes of unfinished records were cut away (record %d)\n",
			restart.Written.Local().Format(time.DateTime), restart.Cut, restart.Sequence)
	}
	if c.Torn {
		fmt.Fprintln(out, "  the last record is unfinished: it is being written, or the next start cuts it away")
	}
	for _, problem := range c.Problems {
		fmt.Fprintln(out, "  "+problem.String())
	}
	switch {
	case c.Unlisted > 0:
		fmt.Fprintf(out, "  and %d more\n", c.Unlisted)
	case len(c.Problems) == 0:
		fmt.Fprintln(out, "  intact")
	}
}
