package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Guarantee: the program prints the licenses of its modules, in the versions of
// go.mod.
func TestLicensesMatchBuild(t *testing.T) {
	t.Parallel()
	script := exec.Command("../../scripts/licenses")
	var messages strings.Builder
	script.Stderr = &messages
	want, err := script.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, messages.String())
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(licensesText, "\n")); diff != "" {
		t.Errorf("run go generate ./cmd/toksta:\n%s", diff)
	}
}
