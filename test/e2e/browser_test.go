package e2e

import (
	"bufio"
	"bytes"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: the journeys work in a real browser, with the keyboard only and without JavaScript. Afterwards no file, log or argument contains a secret or a password.
func TestBrowser(t *testing.T) {
	dir := browserTests(t)
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Policy = "open" })

	run := exec.Command("node", "journey.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+n.URL, "TOKSTA_BIN="+apptest.Binary(t), "TOKSTA_SOCKET="+filepath.Join(n.Data, "toksta.sock"))
	out, err := run.CombinedOutput()
	secrets := []string{"a long sentence that nobody guesses"}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if secret, ok := strings.CutPrefix(lines.Text(), "secret "); ok {
			secrets = append(secrets, secret)
			continue
		}
		t.Log(lines.Text())
	}
	if err != nil {
		t.Fatalf("the journeys failed: %v", err)
	}
	if len(secrets) < 5 {
		t.Fatalf("the journeys printed %d secrets, want 4 and the password", len(secrets))
	}
	checkAbsent(t, n, secrets)
}

// Guarantee: the journeys by keyboard fail if an element cannot be reached with Tab or does not show its
// focus, if the focus is lost, and if they use a pointer.
func TestBrowserDriver(t *testing.T) {
	run := exec.Command("node", "driver.mjs")
	run.Dir = browserTests(t)
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("driver.mjs failed: %v", err)
	}
}

// Guarantee: every page is accessible: axe finds no violation in light and dark mode, at 320
// and 1280 pixels. With accents around the color wheel it finds no contrast that is too low.
func TestBrowserStories(t *testing.T) {
	dir, pages := browserTests(t), t.TempDir()
	write := exec.Command("go", "test", "-count=1", "-run", "^TestStorybook$", "github.com/toksta/toksta/internal/web/page")
	write.Env = append(os.Environ(), "STORYBOOK_OUT="+pages, "CGO_ENABLED=0")
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write the storybook: %v\n%s", err, out)
	}
	for _, script := range []string{"stories.mjs", "accents.mjs"} {
		run := exec.Command("node", script, pages)
		run.Dir = dir
		out, err := run.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Errorf("%s failed: %v", script, err)
		}
	}
}

// Guarantee: the journeys of a team work in a real browser: invitations, roles, the removal of a
// member, which ends the session at once, and switching accounts.
func TestBrowserMembers(t *testing.T) {
	dir := browserTests(t)
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Policy = "open" })
	run := exec.Command("node", "members.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+n.URL, "TOKSTA_BIN="+apptest.Binary(t), "TOKSTA_SOCKET="+filepath.Join(n.Data, "toksta.sock"))
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("members.mjs failed: %v", err)
	}
}

// Guarantee: the journeys with mails work in a real browser: signing up, a new password, a new address
// and signing in by a link. Afterwards no file and no log has a password.
func TestBrowserMail(t *testing.T) {
	dir := browserTests(t)
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := reserved.Addr().String() // which the links in the mails name
	reserved.Close()
	n := apptest.StartDemo(t, func(c *config.Config) {
		c.Listen.Public, c.PublicURL, c.PagesURL = address, "http://"+address, "http://"+address
		c.Signup.Policy, c.Signup.Verification, c.SignIn.Links = "open", config.VerifyBeforeSignIn, true
	})
	run := exec.Command("node", "mail.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+n.URL)
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("mail.mjs failed: %v", err)
	}
	checkAbsent(t, n, []string{"a long sentence that nobody guesses", "another sentence, chosen after the mail"})
}

// Guarantee: a form survives the end of the session in a real browser, and is handled only after it was
// sent again.
func TestBrowserExpired(t *testing.T) {
	dir := browserTests(t)
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Policy = "open" })
	run := exec.Command("node", "expired.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+n.URL, "TOKSTA_BIN="+apptest.Binary(t), "TOKSTA_SOCKET="+filepath.Join(n.Data, "toksta.sock"))
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("expired.mjs failed: %v", err)
	}
}

// described is an OpenAPI document with every kind of text that a description can have.
const described = `
openapi: 3.1.0
info:
  title: Creators
  version: "1"
  description: |
    # Creators
    Find **creators**, see the [guide](https://docs.example.com/guide) or [ask](mailto:help@example.com).

    - one, with a-word-that-is-longer-than-any-line-of-a-narrow-telephone-can-be
    - two

    > A note with <b>HTML</b> and ![a picture](https://pictures.example.com/pixel.png)

    ---

        GET /v1/creators/42
paths:
  /v1/creators/{id}:
    get:
      operationId: getCreator
      summary: One creator
      description: "1. first\n2. second\n\n[never](javascript:alert(1))"
      parameters: [{name: id, in: path, required: true, description: "The ` + "`id`" + `, see [ids](https://docs.example.com/ids)", schema: {type: string}}]
      responses: {"200": {description: "The ` + "`creator`" + `"}}
`

// Guarantee: the documentation pages, of the API and of the operator API, are accessible, fit
// narrow windows, can be searched, and load nothing from another origin.
func TestBrowserDocs(t *testing.T) {
	dir := browserTests(t)
	document := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(document, []byte(described), 0o600); err != nil {
		t.Fatal(err)
	}
	n := apptest.Start(t, func(c *config.Config) {
		c.Docs.OpenAPI, c.Listen.Operator.Address = document, "127.0.0.1:0"
	})
	run := exec.Command("node", "docs.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+n.URL, "TOKSTA_OPERATOR=http://"+n.App.Addr("operator"))
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("docs.mjs failed: %v", err)
	}
}

// browserTests returns the directory of the journeys. If a program that they need is
// missing, it skips t, or fails t if TOKSTA_TEST_REQUIRE is 1.
func browserTests(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "browser")
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node"
	}
	if _, err := os.Stat("/usr/bin/chromium"); err != nil && os.Getenv("TOKSTA_CHROMIUM") == "" {
		missing = "chromium"
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "playwright-core")); err != nil {
		missing = "test/browser/node_modules"
	}
	if missing == "" {
		return dir
	}
	message := "the browser tests need " + missing + ": run `make deps`"
	if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// checkAbsent fails t if a file or the log of the node contains one of the secrets.
func checkAbsent(t *testing.T, n *apptest.Node, secrets []string) {
	t.Helper()
	places := map[string][]byte{"the log": n.Log.Bytes()}
	if b, err := os.ReadFile("/proc/self/cmdline"); err == nil {
		places["the arguments"] = b
	}
	err := filepath.WalkDir(n.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		places[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for place, content := range places {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s contains %q", place, secret)
			}
		}
		found = found || bytes.Contains(content, []byte("fjordlight.example"))
	}
	if !found {
		t.Error("the search did not find the e-mail address either: it reads the wrong files")
	}
}
