package rig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/rig"
)

// short is a run of some seconds that needs no more than a busy machine has.
func short(program string) rig.Config {
	c := rig.Defaults()
	c.Binary, c.Span, c.Calm, c.Every, c.Owners = program, 7*time.Second, 3*time.Second, 2*time.Second, 16
	return c
}

// Guarantee: what has been taken away when a call returns is admitted by no
// node afterwards, whatever happens to nodes, network and database.
//
// TOKSTA_SOAK, a duration, makes it go on for as long, with every fault.
func TestSoakCluster(t *testing.T) {
	postgres(t)
	c := short(build(t))
	c.MinTests = 20
	c.Faults = []string{"pause L", "kill", "cut both ways", "late answer", "terminate backends"}
	if span := soak(t); span > 0 {
		program := c.Binary
		c = rig.Defaults()
		c.Binary, c.Span, c.MinTests = program, span, min(1000, 5*int(span.Seconds()))
	}
	// Speed is not judged on a machine that runs other tests as well.
	c.Slack = time.Minute
	r, err := rig.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", text.String())
	if !r.OK() {
		t.Error("the run does not show that the promise is kept")
	}
}

// soak is how long a soak was asked for, 0 when none was.
func soak(t *testing.T) time.Duration {
	t.Helper()
	long := os.Getenv("TOKSTA_SOAK")
	if long == "" {
		return 0
	}
	span, err := time.ParseDuration(long)
	if err != nil {
		t.Fatal(err)
	}
	return span
}

// postgres skips the test where there is no server, or fails it when none may
// be missing.
func postgres(t *testing.T) {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return
	}
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(rig.ErrNoPostgres)
	}
	t.Skip(rig.ErrNoPostgres)
}
