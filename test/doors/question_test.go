package doors

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: with a certificate, the listener for proxies accepts only TLS, also HTTP/2. The record of
// a question has the client's method and path, the route and the account, but neither the query nor
// the key.
func TestQuestion(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewTLSServer(nil)
	t.Cleanup(issuer.Close)
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(issuer.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	node := apptest.Start(t, func(c *config.Config) {
		c.Listen.TLS = config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
		c.Listen.ForwardAuth, c.ForwardAuth.Proxies = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	owner := apptest.NewAccount(t, node.Operator(), "Acme")
	secret := apptest.NewKey(t, node.Operator(), owner, "key").Secret
	proxy := issuer.Client()
	proxy.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	ask := func(scheme string) apptest.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+node.App.Addr("forward_auth")+"/original", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"X-Original-Method": "GET", "X-Original-URI": "/v1/creators/7?query=hush", "Authorization": "Bearer " + secret,
			"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "question-7",
		} {
			r.Header.Set(name, value)
		}
		got, err := apptest.Exchange(proxy, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ask("https"); got.Status != http.StatusOK || len(got.Body) != 0 || got.Header.Get("X-Toksta-Account-Id") != string(owner) || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
	}
	if got := ask("http"); got.Status != http.StatusBadRequest {
		t.Errorf("without TLS: %d %s", got.Status, got.Body)
	}
	var record string
	apptest.Eventually(t, "the question has no record", func() bool {
		for line := range strings.Lines(string(node.Log.Bytes())) {
			if strings.Contains(line, "question-7") {
				record = line
			}
		}
		return record != ""
	})
	for _, part := range []string{`"method":"GET"`, `"path":"/v1/creators/7"`, `"account":"` + string(owner), `"address":"203.0.113.7"`, `"status":200`} {
		if !strings.Contains(record, part) {
			t.Errorf("the record %s has no %s", record, part)
		}
	}
	if log := node.Log.Bytes(); bytes.Contains(log, []byte("hush")) || bytes.Contains(log, []byte(secret)) {
		t.Errorf("the log is\n%s", log)
	}
}
