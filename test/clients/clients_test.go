// Package clients_test runs the tests of the packages for Node and Python, and checks
// their types and versions.
package clients_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
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

// command returns a command in a directory of the repository, which finds the package for
// Python. If the program is not installed, it skips t.
func command(t *testing.T, dir string, program ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(program[0]); err != nil {
		missing(t, program[0]+" is missing: run scripts/test-deps")
	}
	source, err := filepath.Abs(filepath.Join(root, "clients", "python", "src"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Dir = filepath.Join(root, dir)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+source, "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// run runs a command and returns its output. A failure of the command fails t.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
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
	args := []string{"node", "--test"}
	for _, file := range files {
		args = append(args, filepath.Join("test", filepath.Base(file)))
	}
	if out := run(t, command(t, "clients/node", args...)); !regexp.MustCompile(`(?m)^# pass [1-9]`).MatchString(out) {
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
	run(t, command(t, "test/doors/node", "node", compiler))
}

// Guarantee: the tests of the package for Python pass. They state their own guarantees.
func TestPython(t *testing.T) {
	t.Parallel()
	if out := run(t, command(t, "clients/python", python, "-m", "unittest", "discover", "-t", ".", "-s", "tests")); !regexp.MustCompile(`(?m)^Ran [1-9]`).MatchString(out) {
		t.Errorf("no test ran:\n%s", out)
	}
}

// Guarantee: the package for Python has complete types.
func TestPythonTypes(t *testing.T) {
	t.Parallel()
	run(t, command(t, "clients/python", "mypy", "--strict", "--python-version", "3.10", "--cache-dir", t.TempDir(), "src/toksta"))
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

// Guarantee: each package has a method for every operation of the operator API, and no
// other.
func TestOperations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "operator-openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Paths map[string]any }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for path := range document.Paths {
		if name := strings.TrimPrefix(path, client.PathPrefix); name != "verify" && name != "verify/batch" { // methods of their own
			want = append(want, name)
		}
	}
	slices.Sort(want)
	for file, name := range map[string]string{
		"clients/node/src/operations.js":           `: '([a-z/-]+)'`,
		"clients/python/src/toksta/_operations.py": `= _Operation\("([a-z/-]+)"\)`,
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, match := range regexp.MustCompile(name).FindAllSubmatch(text, -1) {
			got = append(got, string(match[1]))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-API +package)\n%s", file, diff)
		}
	}
}

// Guarantee: both packages manage accounts and keys of a running server, over its socket and
// over the network, and a revocation is enforced when its call returns.
func TestJourneys(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Listen.Operator.Address = "127.0.0.1:0" })
	made, err := n.Operator().CreateOperatorKey(t.Context(), client.CreateOperatorKeyRequest{Name: "journeys", Roles: []toksta.Role{toksta.RoleVerify}})
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{"SOCKET=" + n.Socket(), "OPERATOR=http://" + n.App.Addr("operator"), "KEY=" + made.Secret}
	t.Run("journeys", func(t *testing.T) {
		for interpreter, script := range map[string]string{"node": "journey.mjs", python: "journey.py"} {
			t.Run(script, func(t *testing.T) {
				t.Parallel()
				cmd := command(t, "test/clients", interpreter, script)
				cmd.Env = append(cmd.Env, environment...)
				if out := run(t, cmd); !strings.HasSuffix(out, "done\n") {
					t.Errorf("the journey printed %q", out)
				}
			})
		}
	})
	if log := n.Log.Bytes(); bytes.Contains(log, []byte(made.Secret[10:])) {
		t.Error("the log contains a secret")
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
