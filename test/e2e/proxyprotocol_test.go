package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// proxyClient calls a node on connections that start with a PROXY header.
type proxyClient struct {
	address string
	secure  *tls.Config // nil: no TLS
	secret  string
}

// call sends header and a call. It returns the status, or 0 if the connection is closed,
// and the client address that the upstream receives.
func (b proxyClient) call(t *testing.T, header string) (status int, caller string) {
	t.Helper()
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, header)
	if b.secure != nil {
		conn = tls.Client(conn, b.secure)
	}
	_, _ = io.WriteString(conn, "GET /v1/creators/7 HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1\r\nAuthorization: Bearer "+b.secret+"\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// Guarantee: the PROXY header of a trusted load balancer states the client's address, on which
// a key's networks and the log rely. Other peers cannot state one.
func TestPROXYProtocol(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	}))
	t.Cleanup(echo.Close)
	var v2 bytes.Buffer
	sent := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP("203.0.113.8"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 2})
	if _, err := sent.WriteTo(&v2); err != nil {
		t.Fatal(err)
	}
	const v1 = "PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n"
	dir := t.TempDir()
	trusting := writeCertificate(t, dir).Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.ServerName = "127.0.0.1"
	trusting.NextProtos = nil
	for network, rows := range map[string]map[string]string{ // header → the client's address, "" if the call must not be admitted
		"127.0.0.0/8": {
			v1: "203.0.113.7", v2.String(): "203.0.113.8", "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n": "2001:db8::1",
			"PROXY UNKNOWN\r\n": "127.0.0.1", "": "", "PROXY TCP4 nonsense\r\n": "", "PROXY TCP4 " + strings.Repeat("1", 200): "",
		},
		"192.0.2.0/24": {"": "127.0.0.1", v1: "", v2.String(): ""},
	} {
		for _, secure := range []*tls.Config{nil, trusting} {
			n := apptest.Start(t, func(c *config.Config) {
				u := c.Upstreams["backend"]
				u.URL = echo.URL
				c.Upstreams["backend"] = u
				c.Listen.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix(network)}
				if secure != nil {
					c.Listen.TLS = config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
				}
			})
			api := n.Operator()
			b := proxyClient{strings.TrimPrefix(n.URL, "http://"), secure, apptest.NewKey(t, api, apptest.NewAccount(t, api, "Acme"), "caller").Secret}
			for header, want := range rows {
				status, caller := b.call(t, header)
				if want == "" && status == http.StatusOK || want != "" && (status != http.StatusOK || caller != want) {
					t.Errorf("peers %s, TLS %v, %.40q: %d, caller %q; want %q", network, secure != nil, header, status, caller, want)
				}
			}
		}
	}
}
