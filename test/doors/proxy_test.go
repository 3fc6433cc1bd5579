package doors

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
)

// pages is the directory of the pages about integrations.
const pages = "../../docs/integrations"

// snippet returns a block of a page in w.Pages. place is the page, the language of the
// block and its number among the blocks in this language, such as "nginx.md nginx 1". edits are pairs
// of a text of the block and its replacement.
func (w *World) snippet(t *testing.T, place string, edits ...string) string {
	t.Helper()
	var page, language string
	var n int
	if _, err := fmt.Sscan(place, &page, &language, &n); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(cmp.Or(w.Pages, pages), page))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n```"+language+"\n")
	if n >= len(blocks) {
		t.Fatalf("%s has %d blocks of %s, want %d", page, len(blocks)-1, language, n)
	}
	block, _, _ := strings.Cut(blocks[n], "\n```\n")
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(block, edits[i]) {
			t.Fatalf("the block of %s does not contain %q", page, edits[i])
		}
		block = strings.ReplaceAll(block, edits[i], edits[i+1])
	}
	return block + "\n"
}

// write writes a file in a directory of t and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program until t ends, and returns when it accepts connections at the address.
func run(t *testing.T, address, command string, args ...string) {
	t.Helper()
	cmd := exec.Command(command, args...)
	said := &apptest.Output{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	cmd.SysProcAttr, cmd.WaitDelay = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}, 10*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // a killed nginx would leave its workers
		<-ended
		if t.Failed() {
			t.Logf("%s says:\n%s", command, said.Bytes())
		}
	})
	apptest.Eventually(t, command+" does not listen", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", command, said.Bytes())
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// asked returns the address at which proxies ask.
func (w *World) asked() string { return cmp.Or(w.Asked, w.Node.App.Addr("forward_auth")) }

// addresses are pairs of an address in the pages and the one of w.
func (w *World) addresses() []string {
	return []string{"127.0.0.1:8082", w.asked(), "127.0.0.1:3000", w.BackEnd.Listener.Addr().String()}
}

// startNginx runs nginx with the block of nginx.md.
func startNginx(t *testing.T, w *World) string {
	t.Helper()
	apptest.Require(t, "nginx")
	address, dir := apptest.FreeAddress(t), t.TempDir()
	conf := "daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	if os.Getuid() == 0 {
		conf = "user root;\n" + conf
	}
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += of + "_temp_path temp_" + of + ";\n"
	}
	conf += w.snippet(t, "nginx.md nginx 1", append(w.addresses(), "listen 443 ssl", "listen "+address,
		"ssl_certificate     /etc/ssl/api.pem;", "", "ssl_certificate_key /etc/ssl/api.key;", "")...) + "}\n"
	run(t, address, "nginx", "-p", dir, "-c", write(t, "nginx.conf", conf), "-e", "stderr")
	return address
}

// startHAProxy runs HAProxy with the blocks of haproxy.md.
func startHAProxy(t *testing.T, w *World) string { return startHAProxyWith(t, w) }

// startHAProxyWith runs HAProxy with an edited script; see snippet.
func startHAProxyWith(t *testing.T, w *World, edits ...string) string {
	t.Helper()
	apptest.Require(t, "haproxy")
	address := apptest.FreeAddress(t)
	script := write(t, "toksta.lua", w.snippet(t, "haproxy.md lua 1", edits...))
	conf := w.snippet(t, "haproxy.md haproxy 1", append(w.addresses(), "/etc/haproxy/toksta.lua", script,
		"bind :443 ssl crt /etc/haproxy/api.pem", "bind "+address)...)
	run(t, address, "haproxy", "-db", "-f", write(t, "haproxy.cfg", conf))
	return address
}

// startCaddy runs Caddy with the block of caddy.md.
func startCaddy(t *testing.T, w *World) string {
	t.Helper()
	apptest.Require(t, "caddy")
	address := apptest.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	conf := "{\n\tadmin off\n\tauto_https off\n}\n" + w.snippet(t, "caddy.md caddyfile 1",
		append(w.addresses(), "api.example.com {", "http://:"+port+" {\n\tbind 127.0.0.1")...)
	run(t, address, "caddy", "run", "--adapter", "caddyfile", "--config", write(t, "Caddyfile", conf))
	return address
}
