package node_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/node"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// newData returns a data directory whose path is short enough for a socket.
func newData(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start starts a node on a data directory. The test closes it.
func start(t *testing.T, data string, log *apptest.Output, environ ...string) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Data: data, Environ: environ, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// protected serves an API of the vendor with the verifier of n, and returns its URL. The
// handler responds with the account of the caller.
func protected(t *testing.T, n *node.Node) string {
	t.Helper()
	protect := httpauth.Require(n.Verifier(), httpauth.WithErrorHandler(func(_ *http.Request, err error) { t.Log(err) }))
	server := httptest.NewServer(protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := httpauth.FromContext(r.Context())
		_, _ = w.Write([]byte(caller.AccountID))
	})))
	t.Cleanup(server.Close)
	return server.URL
}

// Guarantee: an embedded node decides as a server does. A revoked key is rejected when
// the revocation returns, the calls are in the database when Close returns, the log has
// their records without the secret, and afterwards nothing is admitted.
func TestEmbeddedNode(t *testing.T) {
	t.Parallel()
	data, log := newData(t), &apptest.Output{}
	n := start(t, data, log)
	url := protected(t, n)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "embedded")
	key := apptest.NewKey(t, api, owner, "key")

	got := apptest.Send(t, url, "GET /v1/creators/7", key.Secret)
	if got.Status != http.StatusOK || string(got.Body) != string(owner) || got.Header.Get(httpauth.HeaderRateLimit) != "1000000" {
		t.Errorf("admitted: %d %s %v", got.Status, got.Body, got.Header)
	}
	if got := apptest.Send(t, url, "POST /v1/creators/search", key.Secret); apptest.Charged(got.Header) != 1 {
		t.Errorf("a priced call: %d %v", got.Status, got.Header)
	}
	if got := apptest.Send(t, url, "GET /v1/unknown", key.Secret); got.Status != http.StatusNotFound || got.Error(t).Error.Code != toksta.CodeNotFound {
		t.Errorf("an unknown path: %d %s", got.Status, got.Body)
	}
	if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: key.Key.ID}); err != nil {
		t.Fatal(err)
	}
	if got := apptest.Send(t, url, "GET /v1/creators/7", key.Secret); got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a revoked key: %d %s", got.Status, got.Body)
	}
	pages := httptest.NewServer(n.Pages())
	defer pages.Close()
	if got := apptest.Send(t, pages.URL, "GET /signin", ""); got.Status != http.StatusOK {
		t.Errorf("the account pages: %d", got.Status)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if got := apptest.Send(t, url, "GET /v1/creators/7", key.Secret); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" {
		t.Errorf("after Close: %d %s", got.Status, got.Body)
	}
	if text := log.Bytes(); !bytes.Contains(text, []byte(`"path":"/v1/creators/7","route":"verify","verified":"getCreator"`)) || bytes.Contains(text, []byte(key.Secret)) {
		t.Errorf("the log lacks the record of a call, or has the secret:\n%s", text)
	}

	n = start(t, data, log)
	defer n.Close()
	var usage struct {
		Calls   int64 `json:"total_calls"`
		Credits int64 `json:"total_credits_charged"`
	}
	apptest.Usage(t, n.Operator(), owner, &usage)
	// The call with the revoked key belongs to the account, too.
	if usage.Calls < 2 || usage.Credits != 1 {
		t.Errorf("after the restart: %+v", usage)
	}
}

// Guarantee: an embedded node is a node of the cluster: a revocation on a server returns
// after the embedded node rejects the key.
func TestEmbeddedNodeInCluster(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	url := database.NewDatabase(t)
	server := apptest.Start(t, func(c *config.Config) { c.Store.URL, c.Node.Name = url, "server" })
	n := start(t, newData(t), &apptest.Output{}, "TOKSTA_STORE_URL="+url, "TOKSTA_NODE_NAME=embedded")
	defer n.Close()
	verifier := n.Verifier()
	owner := apptest.NewAccount(t, server.Operator(), "cluster")
	for i := range 20 {
		key := apptest.NewKey(t, server.Operator(), owner, "key")
		call := httpauth.Call{Authorization: []string{"Bearer " + key.Secret}, Operation: "getCreator"}
		if d, err := verifier.Verify(t.Context(), call); err != nil || !d.Admitted {
			t.Fatalf("key %d: %+v, %v", i, d, err)
		}
		if _, err := server.Operator().RevokeKey(t.Context(), client.KeyRef{Key: key.Key.ID}); err != nil {
			t.Fatal(err)
		}
		if d, err := verifier.Verify(t.Context(), call); err != nil || d.Admitted || d.Reason != toksta.ReasonKeyRevoked {
			t.Fatalf("revoked key %d: %+v, %v", i, d, err)
		}
	}
}

// Guarantee: a hold of an embedded node is settled once, by its client.
func TestEmbeddedNodeHolds(t *testing.T) {
	t.Parallel()
	n := start(t, newData(t), &apptest.Output{})
	defer n.Close()
	owner := apptest.NewAccount(t, n.Operator(), "holds")
	key := apptest.NewKey(t, n.Operator(), owner, "key")
	most := int64(50)
	d, err := n.Verifier().Verify(t.Context(), httpauth.Call{
		Authorization: []string{"Bearer " + key.Secret}, Operation: "searchCreators", Credits: &most, Hold: &httpauth.Hold{Job: "job 1"},
	})
	if err != nil || !d.Admitted || d.Reservation == "" {
		t.Fatalf("%+v, %v", d, err)
	}
	for range 2 {
		if err := n.Settle(t.Context(), &d, 20); err != nil {
			t.Fatal(err)
		}
	}
	var usage struct {
		Credits int64 `json:"total_credits_charged"`
	}
	apptest.Usage(t, n.Operator(), owner, &usage)
	if usage.Credits != 20 {
		t.Errorf("charged %d, want 20", usage.Credits)
	}
}

// Guarantee: a node that cannot start says why, and leaves nothing running.
func TestStartFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "toksta.yaml")
	if err := os.WriteFile(file, []byte("node: {lease: soon}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := node.Start(t.Context(), node.Config{File: file, Data: newData(t)}); err == nil || !strings.Contains(err.Error(), "toksta.yaml") {
		t.Errorf("a wrong configuration: %v, %v", n, err)
	}
	data := newData(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := node.Start(ended, node.Config{Data: data, Log: &apptest.Output{}}); !errors.Is(err, context.Canceled) || n != nil {
		t.Errorf("a context that has ended: %v, %v", n, err)
	}
	n := start(t, data, &apptest.Output{})
	defer n.Close()
	if second, err := node.Start(t.Context(), node.Config{Data: data, Log: &apptest.Output{}}); err == nil || second != nil {
		t.Errorf("a second node on the same directory: %v, %v", second, err)
	}
	if _, err := n.Operator().Health(t.Context()); err != nil {
		t.Errorf("the first node: %v", err)
	}
}
