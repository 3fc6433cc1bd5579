package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
)

// probeTime is how long all checks together may take: less than an ordinary
// orchestrator waits, so it learns which check failed rather than nothing.
const probeTime = 2 * time.Second

// health says that the process answers, and nothing else: an orchestrator
// that restarts on it must not restart for a database's sake.
func health(w http.ResponseWriter, r *http.Request) {
	plain(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the answer of /ready.
type readiness struct {
	Status      string            `json:"status"`
	Environment string            `json:"environment"`
	Checks      map[string]string `json:"checks"`
}

// ready says whether this node should get traffic: 503 when a check fails of
// what the node cannot do without.
// Checks run one after another; each gets what is left of the time.
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
	plain(w, r, status, state)
}

// version says what runs here.
func (a *API) version(w http.ResponseWriter, r *http.Request) {
	plain(w, r, http.StatusOK, map[string]string{"name": a.config.Name, "version": a.config.Version})
}

// plain answers without the envelope, as probes are read by machines that know
// nothing of it. No cache may vouch for a node.
func plain(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		httpauth.WriteError(w, &exchange.FromContext(r.Context()).Meta, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, "application/json", status, body)
}

// send writes a body of ours as what it is.
func send(w http.ResponseWriter, contentType string, status int, body []byte) {
	w.Header().Set(httpauth.HeaderSource, httpauth.SourceGateway)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
