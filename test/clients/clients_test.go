// Package clients_test runs the tests of the packages for Node and Python, and checks
// their types and versions.
package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the directory of the repository.
var root = filepath.Join("..", "..")

// missing skips the test, or fails it if TOKSTA_TEST_REQUIRE is 1.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// run runs a program in a directory of the repository and returns its output. A failure
// of the program fails t; a program that is not installed skips it.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, program+" is missing: run scripts/test-deps")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = filepath.Join(root, dir)
	cmd.Env = append(os.Environ(), "PYTHONPATH=src", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// python is Debian's interpreter, for which scripts/test-deps installs packages.
const python = "/usr/bin/python3"

// Guarantee: the tests of the package for Node pass. They state their own guarantees.
func TestNode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "clients", "node", "test", "*.test.js"))
	if err != nil || len(files) < 3 {
		t.Fatalf("only %d files of tests: %v", len(files), err)
	}
	args := []string{"--test"}
	for _, file := range files {
		args = append(args, filepath.Join("test", filepath.Base(file)))
	}
	if out := run(t, filepath.Join("clients", "node"), "node", args...); !regexp.MustCompile(`(?m)^# pass [1-9]`).MatchString(out) {
		t.Errorf("no test ran:\n%s", out)
	}
}

// Guarantee: the types of the package for Node fit Express, Fastify, Hono and Next, and
// reject wrong uses.
func TestNodeTypes(t *testing.T) {
	t.Parallel()
	compiler := filepath.Join("node_modules", "typescript", "bin", "tsc")
	if _, err := os.Stat(filepath.Join(root, "test", "doors", "node", compiler)); err != nil {
		missing(t, "test/doors/node/node_modules is missing: run scripts/test-deps")
	}
	run(t, filepath.Join("test", "doors", "node"), "node", compiler)
}

// Guarantee: the tests of the package for Python pass. They state their own guarantees.
func TestPython(t *testing.T) {
	t.Parallel()
	if out := run(t, filepath.Join("clients", "python"), python, "-m", "unittest", "discover", "-t", ".", "-s", "tests"); !regexp.MustCompile(`(?m)^Ran [1-9]`).MatchString(out) {
		t.Errorf("no test ran:\n%s", out)
	}
}

// Guarantee: the package for Python has complete types.
func TestPythonTypes(t *testing.T) {
	t.Parallel()
	run(t, filepath.Join("clients", "python"), "mypy", "--strict", "--python-version", "3.10", "--cache-dir", t.TempDir(), "src/toksta")
}

// Guarantee: the packages have the version of the product, which is also the version of a
// tagged commit.
func TestVersions(t *testing.T) {
	t.Parallel()
	version := find(t, "VERSION", `^(\d+\.\d+\.\d+)\n$`)
	for file, pattern := range map[string]string{
		"clients/node/package.json":             `(?m)^  "version": "(.*)",$`,
		"clients/python/pyproject.toml":         `(?m)^version = "(.*)"$`,
		"clients/python/src/toksta/__init__.py": `(?m)^__version__ = "(.*)"$`,
	} {
		if got := find(t, file, pattern); got != version {
			t.Errorf("%s has the version %q, and VERSION %q", file, got, version)
		}
	}
	tags, err := exec.CommandContext(t.Context(), "git", "-C", root, "tag", "--points-at", "HEAD", "--list", "v[0-9]*").Output()
	if err != nil {
		t.Skipf("the tags cannot be read: %v", err)
	}
	for tag := range strings.FieldsSeq(string(tags)) {
		if tag != "v"+version {
			t.Errorf("this commit has the tag %s, and VERSION %q", tag, version)
		}
	}
}

// find returns the first submatch of a pattern in a file of the repository.
func find(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s states no version", file)
	}
	return string(found[1])
}
