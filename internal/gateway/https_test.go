package gateway

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// Guarantee: an https upstream is used with HTTP/2 if it offers that, otherwise with
// HTTP/1.1. Its certificate is verified. The first call that learns of HTTP/2 keeps its body.
func TestHTTPSUpstream(t *testing.T) { // not parallel: it sets the roots before any other test reads them
	respond := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, r.Proto, " ", r.RequestURI, " ", string(body), " ", err)
	})
	servers := map[string]*httptest.Server{"HTTP/1.1": httptest.NewUnstartedServer(respond), "HTTP/2.0": httptest.NewUnstartedServer(respond)}
	servers["HTTP/2.0"].EnableHTTP2 = true
	for _, s := range servers {
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	roots := filepath.Join(t.TempDir(), "roots.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: servers["HTTP/1.1"].Certificate().Raw})
	if err := os.WriteFile(roots, block, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", roots)
	for proto, s := range servers {
		b := newBench(t, nil, func(c *Config) {
			c.Upstreams[0].URL = parseURL(t, s.URL+"/in")
			c.Upstreams[1].URL = parseURL(t, "https://localhost:"+parseURL(t, s.URL).Port()) // not in the certificate
		})
		for range 3 {
			want := proto + " /in/v1/creators/search?a=b hello <nil>"
			if got := b.raw(request("POST", "/v1/creators/search?a=b", "Authorization: Bearer "+goodKey, "Content-Length: 5") + "hello"); got.Body != want {
				t.Errorf("%d %q, want %q", got.StatusCode, got.Body, want)
			}
		}
		if got := b.get("/v1/down"); got.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %d %q with another name in the certificate", proto, got.StatusCode, got.Body)
		}
	}
}
