package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

//go:embed conf/wrk.lua
var wrkScript string

// load is one run of a load generator: wrk, or this program at a fixed rate.
type load struct {
	url         string
	keys        string // file of secrets; "": without a credential
	status      int    // expected
	connections int
	rate        int           // calls a second; 0: as many as the target responds to, by wrk
	duration    time.Duration // whole seconds
	round       int           // each round starts at another key
}

// loadResult is the line that conf/wrk.lua and generate print at the end.
type loadResult struct {
	Requests  int   `json:"requests"`
	Micros    int64 `json:"micros"`
	BadStatus int   `json:"bad_status"` // responses with a status of 400 or above
	Failed    int   `json:"failed"`     // connection errors and timeouts
	P50       int64 `json:"p50"`        // µs
	P99       int64 `json:"p99"`
}

// parseLoad reads the output of a load generator for a load with an expected status. An
// unexpected response or a failed connection is an error, because a target that
// fails fast would look fast.
func parseLoad(output []byte, status int) (loadResult, error) {
	_, line, found := bytes.Cut(output, []byte("RESULT "))
	var r loadResult
	if !found {
		return r, fmt.Errorf("the load generator printed no result: %s", output)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("read the result of the load generator: %w", err)
	}
	bad := 0
	if status >= 400 {
		bad = r.Requests
	}
	if r.Requests == 0 || r.BadStatus != bad || r.Failed > 0 {
		return r, fmt.Errorf("%d responses, %d of them with a status above 399, want %d, and %d failed connections", r.Requests, r.BadStatus, bad, r.Failed)
	}
	return r, nil
}

// run sends the load from the core of the load generator.
func (l load) run(ctx context.Context, b *bench) (loadResult, error) {
	args := append([]string{"-c", strconv.Itoa(b.loadCore)}, l.command(b)...)
	cmd := exec.CommandContext(ctx, "taskset", args...)
	cmd.Env = childEnvironment(b.dir)
	cmd.SysProcAttr = dieWithParent()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return loadResult{}, fmt.Errorf("run the load generator: %w: %s", err, output)
	}
	return parseLoad(output, l.status)
}

// command returns the command of the load generator.
func (l load) command(b *bench) []string {
	if l.rate > 0 {
		return []string{
			b.self, "generate", "-url", l.url, "-keys", b.file(l.keys), "-rate", strconv.Itoa(l.rate),
			"-connections", strconv.Itoa(l.connections), "-duration", l.duration.String(), "-round", strconv.Itoa(l.round),
		}
	}
	args := []string{
		"wrk", "-t", "1", "-c", strconv.Itoa(l.connections),
		"-d", fmt.Sprintf("%.0fs", l.duration.Seconds()), "-s", b.file("wrk.lua"), l.url, "--", strconv.Itoa(l.round),
	}
	if l.keys != "" {
		args = append(args, b.file(l.keys))
	}
	return args
}
