package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
)

// probeTime limits the time of all checks. It is shorter than the usual timeout of an
// orchestrator, so that the orchestrator learns which check failed.
const probeTime = 2 * time.Second

// health serves GET /health. It checks nothing, because a restart of the process would
// not help if, for example, the database were unavailable.
func (a *API) health(w http.ResponseWriter, r *http.Request) {
	a.plain(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the body of /ready.
type readiness struct {
	Status      string            `json:"status"`
	Environment string            `json:"environment"`
	Checks      map[string]string `json:"checks"`
}

// ready serves GET /ready. It responds 503 if a check fails whose condition the node
// needs, see Check.Without. The checks run one after another and share probeTime.
func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	state := readiness{Status: "ready", Environment: a.config.Environment, Checks: map[string]string{}}
	status := http.StatusOK
	for _, c := range a.config.Checks {
		state.Checks[c.Name] = "ok"
		switch {
		case c.Probe(ctx) == nil:
		case c.Without != "":
			state.Checks[c.Name] = c.Without
		default:
			state.Checks[c.Name] = "failed"
			state.Status, status = "not_ready", http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "1")
		}
	}
	a.plain(w, r, status, state)
}

// version serves GET /version.
func (a *API) version(w http.ResponseWriter, r *http.Request) {
	a.plain(w, r, http.StatusOK, map[string]string{"name": a.config.Name, "version": a.config.Version})
}

// plain writes a JSON body without the envelope, which orchestrators do not expect. A
// cached response would hide the state of the node.
func (a *API) plain(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		httpauth.WriteError(w, &exchange.FromContext(r.Context()).Meta, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	a.send(w, "application/json", status, body)
}

// send writes a body with the header fields of a response of this program.
func (a *API) send(w http.ResponseWriter, contentType string, status int, body []byte) {
	w.Header().Set(a.config.Names.Source, httpauth.SourceGateway)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
