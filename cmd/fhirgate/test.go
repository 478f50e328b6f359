package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/transforms"
)

func newTest() *cobra.Command {
	var opts testOptions
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests of the vendor rules",
		Long: `Run the tests that stand beside the vendor rules, {vendor}_test.yaml, in the
folder of the configuration or in DIR. Without DIR also those that stand beside
hospital files, {hospital}_test.yaml: with the vendor's rules and the hospital's
own, its vars and its time zone. Nothing is sent. A test that fails is shown with
what was wanted and what came, and the command ends with 1.

Every resource of an answer is also sent back unchanged, as an update: a rule
that would change what the hospital has fails its test, whatever that wants.`,
		Example: `  fhirgate test                      the folder of tyk.conf
  fhirgate test transforms           another one, without any tyk.conf
  fhirgate test --run 'oracle|day'   tests whose file or name matches
  fhirgate test --diff               every difference, line by line
  fhirgate test --update             write what came into the files of want_body and want_answer
  fhirgate test --junit report.xml   for a CI server`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := runTests(cmd, args)
			if err != nil {
				return err
			}
			return opts.report(cmd.OutOrStdout(), results)
		},
	}
	cmd.Flags().StringVar(&opts.run, "run", "", "only tests of which \"file: name\" matches this regular expression")
	cmd.Flags().BoolVar(&opts.diff, "diff", false, "show differences as a unified diff")
	cmd.Flags().BoolVar(&opts.update, "update", false, "write what came into the files that hold what is wanted")
	cmd.Flags().StringVar(&opts.junit, "junit", "", "write a report in JUnit's XML to this file")
	return cmd
}

// runTests runs the tests in the folder that the caller names, or in those of
// the configuration.
func runTests(cmd *cobra.Command, args []string) ([]transforms.Result, error) {
	if len(args) > 0 {
		return transforms.RunTests(strict.Disk{}, args[0])
	}
	config, err := engine.LoadConfig(configFile(cmd))
	if err != nil {
		return nil, err
	}
	results, err := transforms.RunTests(strict.Disk{}, config.Settings.Transforms)
	if err != nil {
		return nil, err
	}
	hospitals, err := filepath.Glob(filepath.Join(config.Settings.Routes, "*_test.yaml"))
	if err != nil || len(hospitals) == 0 {
		return results, err
	}
	checked, err := gateway.Check(configFile(cmd), false)
	if err != nil {
		return nil, err
	}
	own, err := transforms.RunTestsOf(strict.Disk{}, config.Settings.Routes, checked.Files.Tests())
	return append(results, own...), err
}

type testOptions struct {
	run          string
	diff, update bool
	junit        string
}

func (o *testOptions) report(out io.Writer, results []transforms.Result) error {
	selected, err := regexp.Compile(o.run)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	results = slices.DeleteFunc(results, func(r transforms.Result) bool {
		return !selected.MatchString(filepath.Base(r.File) + ": " + r.Name)
	})
	if o.update {
		if err := updateGoldens(out, results); err != nil {
			return err
		}
	}
	if o.junit != "" {
		if err := writeJUnit(o.junit, results); err != nil {
			return err
		}
	}
	return o.print(out, results)
}

// updateGoldens writes what came into the files that hold what is wanted, and
// takes the mismatches that it mends out of the results.
func updateGoldens(out io.Writer, results []transforms.Result) error {
	for i := range results {
		result := &results[i]
		var left []transforms.Mismatch
		for _, m := range result.Mismatches {
			if m.Content == nil {
				left = append(left, m)
				continue
			}
			if err := os.MkdirAll(filepath.Dir(m.File), 0o750); err != nil {
				return err
			}
			if err := os.WriteFile(m.File, m.Content, 0o600); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: updated\n", m.File)
		}
		result.Mismatches, result.OK = left, len(left) == 0
	}
	return nil
}

func (o *testOptions) print(out io.Writer, results []transforms.Result) error {
	failed := 0
	for _, result := range results {
		if result.OK {
			continue
		}
		failed++
		fmt.Fprintf(out, "%s:%d: %s\n", result.File, result.Line, result.Name)
		for _, m := range result.Mismatches {
			text := m.String()
			if o.diff {
				text = udiff.Unified("want"+m.What, "got"+m.What, pretty(m.Want), pretty(m.Got))
			}
			if o.update {
				text = strings.TrimSuffix(text, "\n") + "\n(--update cannot change this: it stands in the test itself)"
			}
			fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  "))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, len(results))
	}
	fmt.Fprintf(out, "%d %s passed\n", len(results), plural(len(results), "test", "tests"))
	return nil
}
