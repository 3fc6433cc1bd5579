package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: behind nginx with deploy/nginx.conf, three nodes are one API. A revoke that has
// returned is in effect there. When a node dies, its repeatable calls succeed and the
// others get an error. While the database is unavailable no call gets 401.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	server := pgtest.Start(t)
	url, held := server.NewDatabase(t), make(chan *apptest.Program, 9)
	trusting := filepath.Join(t.TempDir(), "toksta.yaml")
	if err := os.WriteFile(trusting, []byte("trusted_proxies: [127.0.0.1/32]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var nodes []*apptest.Program
	var backs []*backEnd
	for range 3 {
		node := apptest.Build(t).On(url)
		back := newBackEnd(t, func() { held <- node })
		node.Env = append(node.Env, "TOKSTA_NODE_LEASE=4s", "TOKSTA_CONFIG="+trusting, "TOKSTA_UPSTREAMS_BACKEND_URL="+back.URL)
		node.Start()
		nodes, backs = append(nodes, node), append(backs, back)
	}
	var addresses []string
	for _, n := range nodes {
		addresses = append(addresses, strings.TrimPrefix(n.URL, "http://"))
	}
	front := startNginx(t, addresses)
	api := nodes[0].API
	owner := apptest.NewAccount(t, api, "Acme")
	kept, doomed := apptest.NewKey(t, api, owner, "kept"), apptest.NewKey(t, api, owner, "doomed")

	for range nodes {
		front.expect(http.StatusOK, "GET /v1/creators/7", kept.Secret)
		front.expect(http.StatusOK, "GET /v1/creators/7", doomed.Secret)
	}
	for i, b := range backs {
		if caller := b.lastCaller(); caller != from {
			t.Errorf("node %d forwards the address %q, want %s", i, caller, from)
		}
	}
	if page := front.expect(http.StatusOK, "GET /account", ""); !strings.Contains(string(page.Body), "Sign in") {
		t.Errorf("the account page is\n%s", page.Body)
	}

	revoked, err := api.RevokeKey(t.Context(), client.KeyRef{Key: doomed.Key.ID})
	if err != nil || len(revoked.Receipt.Confirmed) != len(nodes) {
		t.Errorf("the revoke: %+v, %v", revoked.Receipt, err)
	}
	for range nodes {
		front.expect(http.StatusUnauthorized, "GET /v1/creators/7", doomed.Secret)
	}

	// The killed node has a call in flight that its upstream may have acted on.
	broken := make(chan apptest.Response, 1)
	go func() { broken <- front.send("POST /v1/search-results/posts", kept.Secret) }()
	select {
	case node := <-held:
		node.Kill()
	case got := <-broken:
		t.Fatalf("the call ended early: %d %s", got.Status, got.Body)
	}
	if got := <-broken; got.Status != http.StatusBadGateway || got.Error(t).Error.Code != toksta.CodeUpstreamError {
		t.Errorf("the call that broke off: %d %s", got.Status, got.Body)
	}
	if len(held) != 0 {
		t.Error("another node received the call as well")
	}
	for range 3 * len(nodes) {
		front.expect(http.StatusOK, "GET /v1/creators/7", kept.Secret)
	}

	server.Stop()
	apptest.Eventually(t, "nginx still finds a node", func() bool {
		got := front.send("GET /v1/creators/7", kept.Secret)
		if got.Status == http.StatusOK {
			return false
		}
		e := got.Error(t).Error
		if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || e.Code != toksta.CodeUnavailable {
			t.Fatalf("without a database: %d %v %s", got.Status, got.Header, got.Body)
		}
		return strings.HasPrefix(e.Message, "The service is away") // which no node says
	})
	server.Resume(t)
	apptest.Eventually(t, "no call is admitted once the database is back", func() bool {
		return front.send("GET /v1/creators/7", kept.Secret).Status == http.StatusOK
	})
}

// backEnd is the upstream of one node. It records the address of the caller, and holds a
// POST until its caller disconnects.
type backEnd struct {
	*httptest.Server
	mu     sync.Mutex
	caller string
}

func newBackEnd(t *testing.T, held func()) *backEnd {
	b := &backEnd{}
	normal := demo.Upstream()
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.caller = r.Header.Get("X-Forwarded-For")
		b.mu.Unlock()
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body) // so that net/http detects the caller's end
			held()
			<-r.Context().Done()
			return
		}
		normal.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

// lastCaller returns the address of the last caller.
func (b *backEnd) lastCaller() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.caller
}

// front is nginx with a client for its callers.
type front struct {
	t      *testing.T
	url    string
	client *http.Client // trusts its certificate
}

// startNginx runs Debian's nginx with deploy/nginx.conf in front of three nodes. edits are
// pairs of a text of the file and its replacement.
func startNginx(t *testing.T, nodes []string, edits ...string) front {
	t.Helper()
	dir := t.TempDir()
	trusting := writeCertificate(t, dir)
	address := apptest.FreeAddress(t)
	shipped, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := string(shipped)
	fill := func(old, new string) {
		if !strings.Contains(conf, old) {
			t.Fatalf("deploy/nginx.conf does not contain %q", old)
		}
		conf = strings.Replace(conf, old, new, 1)
	}
	for i, address := range nodes {
		fill(fmt.Sprintf("10.0.0.%d:8080", 11+i), address)
	}
	for i := 0; i < len(edits); i += 2 {
		fill(edits[i], edits[i+1])
	}
	fill("listen 443 ssl", "listen "+address+" ssl")
	fill("/etc/toksta/cert.pem", filepath.Join(dir, "cert.pem"))
	fill("/etc/toksta/key.pem", filepath.Join(dir, "key.pem"))
	whole := "daemon off; worker_processes 1; user root; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		whole += of + "_temp_path temp_" + of + ";\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(whole+conf+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	said := &apptest.Output{}
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("nginx says:\n%s", said.Bytes())
		}
	})
	apptest.Eventually(t, "nginx does not listen", func() bool {
		select {
		case <-ended:
			t.Fatalf("nginx ended:\n%s", said.Bytes())
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return front{t, "https://" + address, trusting}
}

// from is the address of nginx's callers, which differs from the address of nginx.
const from = "127.0.0.2"

// writeCertificate writes a certificate for 127.0.0.1 and its key to dir, and returns a
// client that trusts it.
func writeCertificate(t *testing.T, dir string) *http.Client {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: s.Certificate().Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := s.Client()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c.Transport.(*http.Transport).DialContext = dialer.DialContext
	return c
}

// send sends "METHOD target", with a forged client address.
func (f front) send(call, secret string) apptest.Response {
	method, target, _ := strings.Cut(call, " ")
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+target, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	got, err := apptest.Exchange(f.client, r)
	if err != nil {
		f.t.Errorf("%s: %v", call, err)
	}
	return got
}

// expect sends a call and fails the test unless the response has the status.
func (f front) expect(status int, call, secret string) apptest.Response {
	f.t.Helper()
	got := f.send(call, secret)
	if got.Status != status {
		f.t.Errorf("%s: %d %s, want %d", call, got.Status, got.Body, status)
	}
	return got
}
