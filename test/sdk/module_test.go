// Package sdk_test tests the public module as a vendor's program uses it.
package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs the go command in dir, outside this repository's modules.
func run(t *testing.T, dir string, environment []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"GOFLAGS=-mod=mod", "GOWORK=off"}, environment...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// online skips the test, loudly, where the module proxy cannot be reached.
func online(t *testing.T, out string, err error) {
	t.Helper()
	if err != nil && regexp.MustCompile(`dial tcp|no such host|connection refused|i/o timeout|TLS handshake`).MatchString(out) {
		t.Skipf("the module proxy cannot be reached: %s", out)
	}
}

// A vendor's program keeps the versions of its own dependencies. The public module
// would raise them if it required anything.
func TestModuleRaisesNothing(t *testing.T) {
	t.Parallel()
	sdk, err := filepath.Abs(filepath.Join("..", "..", "sdk"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":  "module example.test/vendor\n\ngo 1.24.0\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.7.2\n\tgithub.com/toksta/toksta/sdk v0.0.0\n)\n\nreplace github.com/toksta/toksta/sdk => " + sdk + "\n",
		"main.go": "package main\n\nimport (\n\t_ \"github.com/jackc/pgx/v5\"\n\t_ \"github.com/toksta/toksta/sdk/client\"\n\t_ \"github.com/toksta/toksta/sdk/httpauth\"\n)\n\nfunc main() {}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t, dir, nil, "mod", "tidy")
	online(t, out, err)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = run(t, dir, nil, "list", "-m", "github.com/jackc/pgx/v5")
	if got := strings.TrimSpace(out); err != nil || got != "github.com/jackc/pgx/v5 v5.7.2" {
		t.Errorf("%v %q, want v5.7.2", err, got)
	}
}

// The public module builds with the Go release that its go.mod names, so that a
// vendor need not upgrade for it.
func TestModuleBuildsWithItsGo(t *testing.T) {
	t.Parallel()
	sdk := filepath.Join("..", "..", "sdk")
	text, err := os.ReadFile(filepath.Join(sdk, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(text)
	if release == nil || strings.Contains(string(text), "require") {
		t.Fatalf("the module names no Go release, or requires others:\n%s", text)
	}
	out, err := run(t, sdk, []string{"GOTOOLCHAIN=go" + string(release[1]), "CGO_ENABLED=0"}, "vet", "./...")
	online(t, out, err)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
