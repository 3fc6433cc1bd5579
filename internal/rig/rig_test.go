package rig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/rig"
)

// short returns a run of some seconds with a load for a busy machine.
func short(program string) rig.Config {
	c := rig.Defaults()
	c.Binary, c.Span, c.Calm, c.Every, c.Owners = program, 7*time.Second, 3*time.Second, 2*time.Second, 16
	return c
}

// Guarantee: when a narrowing call has returned, no node admits a request on the old
// right, under any fault of nodes, network and database.
//
// TOKSTA_SOAK, a duration, extends the run to that length with every kind of fault.
func TestSoakCluster(t *testing.T) {
	postgres(t)
	c := short(build(t))
	c.MinTests = 20
	c.Faults = []string{
		"pause L", "kill", "cut both ways", "packets lost both ways", "customers lost from the node", "late answer", "terminate backends",
	}
	if span := soak(t); span > 0 {
		program := c.Binary
		c = rig.Defaults()
		c.Binary, c.Span, c.MinTests = program, span, min(1000, 5*int(span.Seconds()))
	}
	if c.Span < 5*time.Minute {
		c.Slack = time.Minute // other tests run at the same time
	}
	mustKeep(t, c)
}

// Guarantee: when the database fails over to a synchronous standby during changes,
// no confirmed change is lost, no withdrawn right is admitted, and every node
// recovers without a restart.
func TestFailOver(t *testing.T) {
	postgres(t)
	c := short(build(t))
	c.MinTests, c.Faults, c.Slack = 20, []string{"fail-over"}, time.Minute
	// On a busy machine, the first start of a process can fail to connect in time.
	if r := mustKeep(t, c); r.Restarts != 0 {
		t.Errorf("%d processes were started again: %q", r.Restarts, r.Failures)
	}
}

// mustKeep fails the test unless the run proves that every guarantee holds.
func mustKeep(t *testing.T, c rig.Config) rig.Report {
	t.Helper()
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
		t.Error("the run does not prove that every guarantee holds")
	}
	if r.Untried != "" {
		t.Run("networks", func(t *testing.T) { missing(t, "NOT TRIED: "+r.Untried) })
	}
	return r
}

// soak returns the requested length of a soak test, or 0.
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

// postgres skips the test without a PostgreSQL server, or fails it if
// TOKSTA_TEST_REQUIRE is set.
func postgres(t *testing.T) {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return
	}
	missing(t, rig.ErrNoPostgres.Error())
}

// missing skips the test, or fails it if TOKSTA_TEST_REQUIRE is set.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}
