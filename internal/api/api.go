// Package api serves the endpoints of the public API that have no upstream: the list of
// routes, an account's usage, the probes, and the OpenAPI document.
//
// The gateway calls it after admission. It decides nothing about keys, reads usage
// through one method, and writes nothing.
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

// Config holds the data of the endpoints.
type Config struct {
	Name        string // name of the vendor's product
	Version     string // of this program
	Environment string // for people: "production"
	PublicURL   string // of the API; "" omits it
	PagesURL    string // of the account pages; "" for the same host
	Endpoints   Endpoints
	Families    []toksta.FamilyInfo
	Routes      []toksta.Route
	Checks      []Check
	Usage       Usage
	Names       *httpauth.Names // of the header fields; nil: the default ones
}

// Endpoints are the paths of the endpoints of this package. "" switches one off.
type Endpoints struct{ Usage, Routes, Docs, Health, Ready, Version string }

// Check is a condition of readiness. Probe returns nil if it is met; callers do not see
// the text of its error.
type Check struct {
	Name  string
	Probe func(ctx context.Context) error
	// Without describes, for people, how a node serves without the condition: "away: this
	// node counts rate limits by itself". If it is "", a node cannot serve without the
	// condition, and is not ready.
	Without string
}

// API holds the handlers and the documents that they serve. It is safe for concurrent
// use.
type API struct {
	config  Config
	listing []endpoint
	openAPI []byte
}

// New builds the documents. It fails only if they cannot be encoded, which is an error of
// this program and not of the configuration.
func New(c Config) (*API, error) {
	if c.Names == nil {
		c.Names = httpauth.NewNames(httpauth.DefaultPrefix)
	}
	a := &API{config: c, listing: listing(c.Routes)}
	var err error
	if a.openAPI, err = json.Marshal(document(c)); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return a, nil
}

// Open returns the handlers of the endpoints without a key, by exact path, for GET and
// HEAD. Their responses contain nothing about accounts.
func (a *API) Open() map[string]http.Handler {
	at := a.config.Endpoints
	out := map[string]http.Handler{
		at.Routes:  http.HandlerFunc(a.list),
		at.Health:  http.HandlerFunc(a.health),
		at.Ready:   http.HandlerFunc(a.ready),
		at.Version: http.HandlerFunc(a.version),
	}
	if at.Docs != "" {
		out[at.Docs+"/json"] = http.HandlerFunc(a.docsJSON)
	}
	delete(out, "") // switched off
	return out
}

// Local returns the handlers of the endpoints with a key, by operation.
func (a *API) Local() map[string]http.Handler {
	return map[string]http.Handler{OperationUsage: http.HandlerFunc(a.usage)}
}

// endpoint is a route in the list of routes. Usage reports its calls under its cost key. Upstreams
// and prices are not public.
type endpoint struct {
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	Operation string        `json:"operation_id"`
	Family    toksta.Family `json:"endpoint_family"`
	CostKey   string        `json:"cost_key"`
	Access    string        `json:"access,omitempty"` // "public" of a route without a key
}

// listing converts routes for the list of routes.
func listing(routes []toksta.Route) []endpoint {
	out := make([]endpoint, len(routes))
	for i, r := range routes {
		out[i] = endpoint{r.Method, r.Pattern, r.Operation, r.Family, cmp.Or(r.CostKey, r.Operation), ""}
		if r.Public {
			out[i].Access = "public"
		}
	}
	return out
}

// list serves the list of routes.
func (a *API) list(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	if err := httpauth.WriteData(w, &x.Meta, http.StatusOK, map[string]any{"endpoints": a.listing}); err != nil {
		x.Fail(err)
	}
}
