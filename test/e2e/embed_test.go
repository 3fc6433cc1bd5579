package e2e

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// freePorts returns the numbers of free TCP ports of this machine.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

// Guarantee: in a real browser, the page of a vendor on another site embeds the keys, also by keyboard and with
// third-party cookies blocked, and no other page can embed them or act in their session. The log
// has neither a code of a link nor a secret.
func TestBrowserEmbed(t *testing.T) {
	dir := browserTests(t)
	ports := freePorts(t, 2)
	pages, origin := "http://localhost:"+ports[0], "http://127.0.0.1:"+ports[1]
	n := apptest.Start(t, func(c *config.Config) {
		c.Listen.Public, c.PublicURL, c.PagesURL = "127.0.0.1:"+ports[0], pages, pages
		c.Embed.Origins, c.Sessions.VendorURL = []string{origin}, origin+"/api-keys"
	})
	run := exec.Command("node", "embed.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+pages, "TOKSTA_BIN="+apptest.Binary(t), "TOKSTA_SOCKET="+n.Socket(), "VENDOR_PORT="+ports[1])
	out, err := run.CombinedOutput()
	var secrets []string
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
		t.Errorf("the journeys printed %d secrets and codes", len(secrets))
	}
	for _, secret := range secrets {
		if bytes.Contains(n.Log.Bytes(), []byte(secret)) {
			t.Errorf("the log has %q", secret)
		}
	}
}
