package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The README's first block works when it is pasted into a shell: each "# 200:" or
// "# 403 reason:" states the response of the call below it.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "the README's block is not tested: curl is missing")
	}
	block := quickstart(t)
	dir, public := serveDemo(t)

	// Print the status of each call on its own line after the response.
	script := "curl() { command curl \"$@\" -w '\\nSTATUS %{http_code}\\n'; }\n" + strings.ReplaceAll(block, "http://localhost:8080", public)
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	shell.Dir = dir
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("run the block: %v\n%s", err, out)
	}
	responses := regexp.MustCompile(`(?s)(.*?)\nSTATUS (\d+)\n`).FindAllStringSubmatch(string(out), -1)
	claims := regexp.MustCompile(`(?m)^# (\d{3})(?: (\w+))?:`).FindAllStringSubmatch(block, -1)
	if len(claims) < 3 || len(claims) != len(responses) {
		t.Fatalf("%d claims, %d calls\n%s", len(claims), len(responses), out)
	}
	for i, claim := range claims {
		if got := responses[i]; got[2] != claim[1] || !strings.Contains(got[1], claim[2]) {
			t.Errorf("%s, but the response is %s: %s", claim[0], got[2], got[1])
		}
	}
	for i, text := range []string{"Toksta-Credit-Cost: 1\r\n", `"required_family":"job"`, `"total_credits_charged":1,`} {
		if !strings.Contains(responses[i][1], text) {
			t.Errorf("the response of call %d lacks %s: %s", i+1, text, responses[i][1])
		}
	}
}

// quickstart returns the block after the marker in the README.
func quickstart(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- test:quickstart -->\n```sh\n")
	block, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the README has no block after <!-- test:quickstart -->")
	}
	return block
}

// buildDirectory returns a new directory with bin/toksta, as make build leaves it.
func buildDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "toksta") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	err = errors.Join(err, os.Mkdir(filepath.Join(dir, "bin"), 0o700), os.Symlink(self, filepath.Join(dir, "bin", "toksta")))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// serveDemo starts the demo as bin/toksta in a new directory. It returns the
// directory and the public URL when the demo is ready.
func serveDemo(t *testing.T) (dir, public string) {
	t.Helper()
	dir = buildDirectory(t)
	listen, err1 := freeAddress()
	backend, err2 := freeAddress()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	public = "http://" + listen

	ctx, stop := context.WithCancel(context.Background())
	demo := exec.CommandContext(ctx, filepath.Join(dir, "bin", "toksta"), "demo")
	demo.Dir = dir
	demo.Env = append(os.Environ(), "TOKSTA_LISTEN_PUBLIC="+listen, "TOKSTA_PUBLIC_URL="+public, "TOKSTA_UPSTREAMS_BACKEND_URL=http://"+backend)
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) }
	demo.WaitDelay = 30 * time.Second
	var messages strings.Builder
	demo.Stderr = &messages
	stdout, err := demo.StdoutPipe()
	if err == nil {
		err = demo.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := demo.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the demo ended with %v", err)
		}
	})
	if !slices.ContainsFunc(linesUntil(stdout, "Ctrl-C"), func(line string) bool { return strings.Contains(line, public) }) {
		stop()
		t.Fatalf("the demo did not print that it is ready: %s", messages.String())
	}
	return dir, public
}

// linesUntil returns the lines up to the one that contains text, or to the end.
func linesUntil(r io.Reader, text string) (lines []string) {
	for scan := bufio.NewScanner(r); scan.Scan(); {
		lines = append(lines, scan.Text())
		if strings.Contains(scan.Text(), text) {
			break
		}
	}
	return lines
}
