package e2e

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: in a real browser, a person adds a passkey, signs in without a name, confirms with it and
// removes it; sets up an authenticator app, and signs in with its codes and with recovery codes. No
// file and no log has a recovery code or the password.
func TestBrowserFactors(t *testing.T) {
	dir := browserTests(t)
	// Passkeys belong to the address of the pages, so it is known before the start.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	n := apptest.Start(t, func(c *config.Config) {
		c.Signup.Policy, c.Listen.Public = "open", address
		c.PublicURL, c.PagesURL = "http://localhost:"+port, "http://localhost:"+port
	})
	run := exec.Command("node", "factors.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE=http://localhost:"+port, "TOKSTA_BIN=", "TOKSTA_SOCKET="+n.Socket())
	out, err := run.CombinedOutput()
	secrets := []string{"a long sentence that nobody guesses"}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if secret, ok := strings.CutPrefix(lines.Text(), "secret "); ok {
			secrets = append(secrets, secret, strings.ReplaceAll(secret, "-", ""))
			continue
		}
		t.Log(lines.Text())
	}
	if err != nil {
		t.Fatalf("the journeys failed: %v", err)
	}
	if len(secrets) != 41 {
		t.Fatalf("the journeys printed %d secrets, want 20 codes in two forms, and the password", len(secrets))
	}
	checkAbsent(t, n, secrets)
}
