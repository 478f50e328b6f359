package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the project's folder, and binary the fhirgate under test.
var root, binary string

func TestMain(m *testing.M) {
	if err := findBinary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func findBinary() (err error) {
	if root, err = filepath.Abs(".."); err != nil {
		return err
	}
	if binary = os.Getenv("FHIRGATE_BIN"); binary != "" {
		return nil
	}
	build := exec.Command("make", "build")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("make build: %w", err)
	}
	binary = filepath.Join(root, "bin", "fhirgate")
	return nil
}
