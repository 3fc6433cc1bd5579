package doors

import (
	"database/sql"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// World is the server that all doors of a test share, and the back end behind it.
type World struct {
	Node    *apptest.Node
	BackEnd *httptest.Server // see backEnd
	// Operator is the URL of the operator API over the network, and OperatorKey a key of the
	// role verify for it.
	Operator, OperatorKey string

	// Pages is the directory of the pages that proxies use, "" for docs/integrations.
	Pages string
	// Asked is the address at which proxies ask, "" for the one of Node.
	Asked string

	t         *testing.T
	keys      keyring // for calls after the cases
	streaming sync.Mutex
}

func newWorld(t *testing.T) *World {
	t.Helper()
	w := &World{t: t, BackEnd: httptest.NewServer(backEnd())}
	t.Cleanup(w.BackEnd.Close)
	w.Node = apptest.Start(t, w.configure)
	w.keys = w.newKeyring(t)
	w.Operator = "http://" + w.Node.App.Addr("operator")
	made, err := w.Node.Operator().CreateOperatorKey(t.Context(), client.CreateOperatorKeyRequest{Name: "doors", Roles: []toksta.Role{toksta.RoleVerify}})
	if err != nil {
		t.Fatal(err)
	}
	w.OperatorKey = made.Secret
	return w
}

// configure sets the routes of the cases.
func (w *World) configure(c *config.Config) {
	c.Node.Lease = time.Second
	c.Listen.Operator.Address = "127.0.0.1:0"
	c.Listen.ForwardAuth, c.ForwardAuth.Proxies = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.Upstreams["backend"] = config.Upstream{URL: w.BackEnd.URL, ConnectTimeout: 5 * time.Second, ResponseTimeout: 10 * time.Second}
	route := func(path, operation string, family toksta.Family, methods ...string) config.Route {
		return config.Route{Method: methods, Path: path, Operation: operation, Family: family, Upstream: "backend"}
	}
	paid := route("/v1/things", "createThing", "data", "POST")
	paid.Credits, paid.CostKey = 2, "thing_created"
	public := route("/v1/open/{id}", "getOpen", "", "GET", "POST")
	public.Access = config.AccessPublic
	c.Routes = []config.Route{
		route("/v1/things/{id}", "getThing", "data", "GET"), paid, public,
		route("/v1/files/*", "getFile", "data", "GET", "PUT"), route("/v1/files/locked", "getLocked", "job", "GET"),
		route("/v1/options", "describe", "data", "GET", "OPTIONS"),
		route("/v1/jobs/{id}", "getJob", "job", "GET"),
		route("/v1/campaigns", "listCampaigns", "workspace", "GET"),
		route(streamPath, "getStream", "data", "GET"), route(socketPath, "getSocket", "data", "GET"),
	}
}

// loseLease makes the database unavailable until the node has lost its lease.
func (w *World) loseLease(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.Node.Data, "toksta.db")+"?_pragma=busy_timeout(10000)&_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tx.Rollback()
		db.Close()
	})
	apptest.Eventually(t, "the node keeps its lease", func() bool {
		return apptest.Send(t, w.Node.URL, "GET /v1/things/1", w.keys["live"].Secret).Status == 503
	})
}
