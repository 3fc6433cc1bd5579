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
	c.Faults = []string{
		"pause L", "kill", "cut both ways", "packets lost both ways", "customers lost from the node", "late answer", "terminate backends",
	}
	if span := soak(t); span > 0 {
		program := c.Binary
		c = rig.Defaults()
		c.Binary, c.Span, c.MinTests = program, span, min(1000, 5*int(span.Seconds()))
	}
	if c.Span < 5*time.Minute {
		c.Slack = time.Minute // speed is not judged beside other tests
	}
	kept(t, c)
}

// Guarantee: when the database fails over to a synchronous standby in the
// middle of changes, nothing that was acknowledged is lost, nothing that was
// taken away is admitted, and every node comes back without a restart.
func TestFailOver(t *testing.T) {
	postgres(t)
	c := short(build(t))
	c.MinTests, c.Faults, c.Slack = 20, []string{"fail-over"}, time.Minute
	if r := kept(t, c); r.Starts != c.Nodes {
		t.Errorf("%d nodes were started %d times", c.Nodes, r.Starts)
	}
}

// kept is a run in which every promise must be kept.
func kept(t *testing.T, c rig.Config) rig.Report {
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
		t.Error("the run does not show that the promise is kept")
	}
	if r.Untried != "" {
		t.Run("networks", func(t *testing.T) { missing(t, "NOT TRIED: "+r.Untried) })
	}
	return r
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
	missing(t, rig.ErrNoPostgres.Error())
}

// missing skips a test for want of something, or fails it when nothing may be
// missing.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}
