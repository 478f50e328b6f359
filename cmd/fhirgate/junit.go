package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fhirgate/transforms"
)

// junitReport is a report in the form that CI servers read: a suite a file.
type junitReport struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Time     string        `xml:"time,attr"` // seconds
	Suites   []*junitSuite `xml:"testsuite"`
	took     time.Duration
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	File     string      `xml:"file,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
	took     time.Duration
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"` // the vendor
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a report of the results, which come file by file.
func writeJUnit(file string, results []transforms.Result) error {
	var report junitReport
	var suite *junitSuite
	for _, result := range results {
		vendor := strings.TrimSuffix(filepath.Base(result.File), "_test.yaml")
		if suite == nil || suite.File != result.File {
			suite = &junitSuite{Name: vendor, File: result.File}
			report.Suites = append(report.Suites, suite)
		}
		c := junitCase{Name: result.Name, Class: vendor, File: result.File, Line: result.Line, Time: seconds(result.Took)}
		if !result.OK {
			c.Failure = &junitFailure{Message: "not what the test wants", Text: shown(result.Mismatches)}
			suite.Failures++
			report.Failures++
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		report.Tests++
		suite.took += result.Took
		report.took += result.Took
		suite.Time = seconds(suite.took)
	}
	report.Time = seconds(report.took)
	text, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644) //nolint:gosec // others are to read it
}

func shown(mismatches []transforms.Mismatch) string {
	parts := make([]string, len(mismatches))
	for i := range mismatches {
		parts[i] = mismatches[i].String()
	}
	return strings.Join(parts, "\n")
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
