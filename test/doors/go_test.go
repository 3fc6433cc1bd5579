package doors

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// startNetHTTP starts a back end behind httpauth.Require, with the remote verifier and a
// key of the role verify.
func startNetHTTP(t *testing.T, w *World) string {
	t.Helper()
	return require(t, w, client.NewVerifier(w.Operator, client.WithKey(w.OperatorKey)))
}

// startEmbedded starts a back end behind httpauth.Require, with the verifier of the node in
// the same process.
func startEmbedded(t *testing.T, w *World) string {
	t.Helper()
	return require(t, w, w.Node.App)
}

// require serves the back end behind httpauth.Require.
func require(t *testing.T, w *World, v httpauth.Verifier) string {
	t.Helper()
	ignore := httpauth.WithErrorHandler(func(*http.Request, error) {})
	server := httptest.NewUnstartedServer(httpauth.Require(v, ignore)(w.BackEnd.Config.Handler))
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startGo returns a function that starts the program examples/go/proxy with a router.
func startGo(router string) func(t *testing.T, w *World) string {
	return func(t *testing.T, w *World) string {
		t.Helper()
		path, err := goProxy()
		if err != nil {
			t.Fatal(err)
		}
		address := apptest.FreeAddress(t)
		run(t, address, path, "-router", router, "-toksta", w.Operator, "-key-file", write(t, "verify.key", w.OperatorKey+"\n"), "-backend", w.BackEnd.URL, "-listen", address)
		return address
	}
}

// goProxy builds the program, which belongs to another module, and returns its path.
var goProxy = sync.OnceValues(func() (path string, err error) {
	dir, err := apptest.ProgramDir()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "proxy")
	cmd := exec.Command("go", "build", "-tags=nomsgpack", "-o", path, "./proxy") // without a part of Gin that takes long to compile
	cmd.Dir = filepath.Join("..", "..", "examples", "go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build examples/go/proxy: %w\n%s", err, text)
	}
	return path, nil
})

// Guarantee: without a decision, the middleware admits nothing: if the server cannot be
// reached or is not Toksta, and if the operator key is unknown or may not decide. The
// response is 503 in the envelope.
func TestAwayMiddleware(t *testing.T) {
	t.Parallel()
	node := apptest.Start(t, func(c *config.Config) { c.Listen.Operator.Address = "127.0.0.1:0" })
	api := node.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Acme"), "key").Secret
	reader, err := api.CreateOperatorKey(t.Context(), client.CreateOperatorKeyRequest{Name: "reader", Roles: []toksta.Role{toksta.RoleRead}})
	if err != nil {
		t.Fatal(err)
	}
	back := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request reached the back end") }))
	t.Cleanup(back.Close)
	operator := "http://" + node.App.Addr("operator")
	for name, w := range map[string]*World{
		"unreachable":   {Operator: "http://" + apptest.FreeAddress(t)},
		"not Toksta":    {Operator: node.URL},
		"no key":        {Operator: operator},
		"unknown key":   {Operator: operator, OperatorKey: toksta.OperatorSecretPrefix + "unknown"},
		"customer's":    {Operator: operator, OperatorKey: key},
		"role too weak": {Operator: operator, OperatorKey: reader.Secret},
	} {
		t.Run(name, func(t *testing.T) {
			w.Node, w.BackEnd = node, back
			expectUnavailable(t, "net-http", startNetHTTP(t, w), key)
		})
	}
	if log := node.Log.Bytes(); bytes.Contains(log, []byte(key)) || bytes.Contains(log, []byte(reader.Secret)) {
		t.Errorf("the log has a secret:\n%s", log)
	}
}

// Guarantee: with a key of the role verify alone, a program holds the credits of a job and
// settles it once.
func TestMiddlewareSettles(t *testing.T) {
	t.Parallel()
	node := apptest.Start(t, func(c *config.Config) { c.Listen.Operator.Address = "127.0.0.1:0" })
	api := node.Operator()
	made, err := api.CreateOperatorKey(t.Context(), client.CreateOperatorKeyRequest{Name: "verify", Roles: []toksta.Role{toksta.RoleVerify}})
	if err != nil {
		t.Fatal(err)
	}
	owner := apptest.NewAccount(t, api, "Acme")
	key := apptest.NewKey(t, api, owner, "key").Secret
	verifier := client.NewVerifier("http://"+node.App.Addr("operator"), client.WithKey(made.Secret))
	most := int64(50)
	hold := httpauth.WithCall(func(_ *http.Request, c *httpauth.Call) error {
		c.Credits, c.Hold = &most, &httpauth.Hold{Job: "job 1"}
		return nil
	})
	server := httptest.NewServer(httpauth.Require(verifier, hold)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		d, _ := httpauth.DecisionFromContext(r.Context())
		for range 2 {
			if err := verifier.Settle(r.Context(), d, 20); err != nil {
				t.Error(err)
			}
		}
	})))
	defer server.Close()
	if got := apptest.Send(t, server.URL, "POST /v1/creators/search", key); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	var usage struct {
		Credits int64 `json:"total_credits_charged"`
	}
	apptest.Usage(t, api, owner, &usage)
	if usage.Credits != 20 {
		t.Errorf("charged %d credits, want 20", usage.Credits)
	}
}
