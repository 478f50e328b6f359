// Command fhirgate is the FHIR R4 gateway in front of many hospitals.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"fhirgate/internal/strict"
)

// version is set at build time (make build).
var version = ""

func main() {
	if err := newRoot().Execute(); err != nil {
		report(err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fhirgate",
		Short: "One FHIR R4 endpoint in front of many hospitals",
		Long: `fhirgate is one FHIR R4 endpoint, one dialect and one credential in front of
many hospitals' EHRs. A hospital is a file in routes/, a vendor's habits a file
in transforms/, a plan a file in policies/; tyk.conf holds the rest.`,
		Example: `  fhirgate serve --demo            start with three simulated hospitals
  fhirgate check --live            check every file and every hospital
  fhirgate keys create --name pacs --plan screening-day`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringP("config", "c", "tyk.conf", "configuration file")
	root.AddCommand(newServe(), newCheck(), newTest(), newTransform(), newRoute(), newKeys(), newAudit(), newJWKS(), newReload(), newPortal(), newSandbox(), newVersion())
	return root
}

// report prints an error for people: every problem on a line of its own, where
// there are several.
func report(err error) {
	var problems strict.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(os.Stderr, p.Error())
		}
		fmt.Fprintf(os.Stderr, "fhirgate: %d %s in the configuration\n", len(problems), plural(len(problems), "mistake", "mistakes"))
		return
	}
	fmt.Fprintln(os.Stderr, "fhirgate:", err)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func configFile(cmd *cobra.Command) string {
	file, _ := cmd.Flags().GetString("config") // the flag exists on the root
	return file
}

// addDemoFlag adds the flag that means the files of a demo instead of an
// installation's own.
func addDemoFlag(cmd *cobra.Command, demo *bool) {
	cmd.Flags().BoolVar(demo, "demo", false, "of a gateway that was started here with --demo")
}

// buildVersion returns the version set at build time, or the commit that the
// toolchain recorded.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return "dev-" + setting.Value[:min(12, len(setting.Value))]
			}
		}
	}
	return "dev"
}
