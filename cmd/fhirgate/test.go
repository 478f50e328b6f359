package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/transforms"
)

func newTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Run the tests of the vendor rules",
		Long: `Run the tests that stand beside the vendor rules, transforms/{vendor}_test.yaml.
Nothing is sent. A test that fails is shown with what was wanted and what came.`,
		Example: `  fhirgate test
  fhirgate test -c /etc/fhirgate/tyk.conf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := engine.LoadConfig(configFile(cmd))
			if err != nil {
				return err
			}
			results, err := transforms.RunTests(strict.Disk{}, config.Settings.Transforms)
			if err != nil {
				return err
			}
			return printResults(cmd, results)
		},
	}
}

func printResults(cmd *cobra.Command, results []transforms.Result) error {
	out, failed := cmd.OutOrStdout(), 0
	for _, result := range results {
		if result.OK {
			continue
		}
		failed++
		fmt.Fprintf(out, "%s:%d: %s\n  %s\n", result.File, result.Line, result.Name, strings.ReplaceAll(result.Diff, "\n", "\n  "))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, len(results))
	}
	fmt.Fprintf(out, "%d %s passed\n", len(results), plural(len(results), "test", "tests"))
	return nil
}
