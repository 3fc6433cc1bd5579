package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// namespace runs a shell with its own network, in which the ports of the page are free.
var namespace = []string{"unshare", "--net", "bash", "-c", "ip link set lo up && exec bash -euo pipefail -c \"$0\""}

// Guarantee: docs/start.md is true for a new user: every command
// works as it is printed, and each "# 200:" states the status of the call below it.
func TestStart(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "python3", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "docs/start.md is not tested: "+program+" is missing")
		}
	}
	if os.Getuid() != 0 {
		missing(t, "docs/start.md is not tested: only root can make a network namespace")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "start.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := ""
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		script += block[1]
	}
	out := runInClone(t, script)
	var got, want []string
	for _, line := range regexp.MustCompile(`HTTP/1\.1 (\d{3}) `).FindAllStringSubmatch(out, -1) {
		got = append(got, line[1])
	}
	for _, claim := range regexp.MustCompile(`(?m)^# (\d{3}):`).FindAllStringSubmatch(script, -1) {
		want = append(want, claim[1])
	}
	if !slices.Equal(got, want) || len(want) < 5 {
		t.Errorf("the calls got %v, and the page says %v:\n%s", got, want, out)
	}
	for _, text := range []string{"5 operations are routes", `"city": "Berlin"`, "getHistory", "EUR"} {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, out)
		}
	}
	if own := regexp.MustCompile(`(?i)http/1\.1 [^\n]*\r\n(?:[^\n]*\r\n)*?x-toksta[^\n]*`).FindString(out); own != "" {
		t.Errorf("a response of the vendor's API names another product: %s", own)
	}
}

// missing skips the test, or fails it if TOKSTA_TEST_REQUIRE is set.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// runInClone runs a script in a directory with the program and the example, as in a
// clone after make build, and returns its output. All its processes have ended then.
func runInClone(t *testing.T, script string) string {
	t.Helper()
	dir := buildDirectory(t)
	if err := os.CopyFS(filepath.Join(dir, "examples", "weather"), os.DirFS(filepath.Join("..", "..", "examples", "weather"))); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	shell := exec.CommandContext(ctx, namespace[0], append(slices.Clone(namespace[1:]), script)...)
	shell.Dir = dir
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.Cancel, shell.WaitDelay = end, 20*time.Second // a failing script leaves its servers
	out, err := shell.CombinedOutput()
	_ = end()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "my-weather", "toksta.log"))
		t.Fatalf("the commands of docs/start.md: %v\n%s\n%s", err, out, log)
	}
	return string(out)
}
