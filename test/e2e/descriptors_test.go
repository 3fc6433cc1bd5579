package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: however many connections clients open, the operator can revoke a key and stop
// the node.
func TestRevokeAtDescriptorLimit(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	p.Wrapper = []string{"sh", "-c", `ulimit -n 200; exec "$0" "$@"`}
	p.Start()
	owner := apptest.NewAccount(t, p.API, "Besieged")
	key := apptest.NewKey(t, p.API, owner, "leaked")
	if got := apptest.Status(p.URL, key.Secret); got != 200 {
		t.Fatalf("the key's first call: %d", got)
	}
	for i := range 600 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 { // and reads nothing
			_, _ = io.WriteString(c, strings.Repeat("GET /docs HTTP/1.1\r\nHost: h\r\n\r\n", 100))
		}
	}
	began := time.Now()
	p.Output("keys", "revoke", string(key.Key.ID), "--yes")
	took := time.Since(began)
	t.Logf("the revocation took %v", took)
	if took > 5*time.Second {
		t.Errorf("the revocation took %v", took)
	}
	if _, err := p.API.Usage(t.Context(), client.UsageRequest{AccountRef: client.AccountRef{Account: owner}}); err != nil {
		t.Error(err)
	}
	began = time.Now()
	p.Stop()
	took = time.Since(began)
	t.Logf("stopping took %v", took)
	if took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}
