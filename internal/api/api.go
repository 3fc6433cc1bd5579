// Package api answers the public API's own endpoints: what routes there are,
// an account's usage, the probes, and the API's documentation.
//
// It stands behind the gateway, as the station of what no upstream answers. It
// makes no decision about keys and reads usage through one method; it writes
// nothing.
package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// OperationUsage is the operation that reports an account's usage.
const OperationUsage = "getAccountUsage"

// Config is what the endpoints show.
type Config struct {
	Name        string // of the vendor's product: "Toksta"
	Version     string // of this program
	Environment string // for people: "production"
	PublicURL   string // where callers reach the API; "" leaves it out
	PagesURL    string // where people make keys; "" is here
	Families    []toksta.FamilyInfo
	Routes      []toksta.Route
	Checks      []Check
	Usage       Usage
}

// Check is one thing that a ready node needs. Probe returns nil when it is
// there; its error's text is not shown to the anonymous caller.
type Check struct {
	Name  string
	Probe func(ctx context.Context) error
	// Without says how a node that goes on serving does without the thing; "":
	// it does not.
	Without string
}

// API holds the handlers and the documents they answer with, written once at
// the start. It is safe for concurrent use.
type API struct {
	config  Config
	listing []endpoint
	openAPI []byte
	page    []byte
}

// New prepares the documents that never change. It fails only when they cannot
// be written, which is a fault of this program and not of the configuration.
func New(c Config) (*API, error) {
	a := &API{config: c, listing: listing(c.Routes)}
	var err error
	if a.openAPI, err = json.Marshal(document(c)); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	if a.page, err = page(c); err != nil {
		return nil, fmt.Errorf("write the documentation page: %w", err)
	}
	return a, nil
}

// Open returns what is answered without a key, by exact path, for GET and HEAD.
// None of it says anything about an account, and all of it is the same for
// everybody but the probes.
func (a *API) Open() map[string]http.Handler {
	return map[string]http.Handler{
		"/v1/":            http.HandlerFunc(a.list),
		"/health":         http.HandlerFunc(health),
		"/ready":          http.HandlerFunc(a.ready),
		"/version":        http.HandlerFunc(a.version),
		"/docs":           http.HandlerFunc(a.docs),
		"/docs/json":      http.HandlerFunc(a.docsJSON),
		"/docs/style.css": http.HandlerFunc(style),
	}
}

// Local returns what is answered with a key, by operation.
func (a *API) Local() map[string]http.Handler {
	return map[string]http.Handler{OperationUsage: http.HandlerFunc(a.usage)}
}

// endpoint is a route as GET /v1/ lists it. Its cost key is what usage reports
// its calls under; upstreams and prices are not the public's.
type endpoint struct {
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	Operation string        `json:"operation_id"`
	Family    toksta.Family `json:"endpoint_family"`
	CostKey   string        `json:"cost_key"`
}

// listing is computed once: routes change with the configuration only.
func listing(routes []toksta.Route) []endpoint {
	out := make([]endpoint, len(routes))
	for i, r := range routes {
		out[i] = endpoint{r.Method, r.Pattern, r.Operation, r.Family, cmp.Or(r.CostKey, r.Operation)}
	}
	return out
}

// list answers GET /v1/.
func (a *API) list(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	if err := httpauth.WriteData(w, &x.Meta, http.StatusOK, map[string]any{"endpoints": a.listing}); err != nil {
		x.Fail(err)
	}
}
