package app

import (
	"net/url"
	"runtime"
	"time"
)

// logStart logs the state with which the node begins to serve.
func (a *App) logStart() {
	keys, accounts := a.index.Len()
	source := a.configPath
	if source == "" {
		source = "defaults and environment"
	}
	a.log.Info("started", "version", a.version, "go", runtime.Version(), "config", source,
		"environment", a.config.Environment, "node", a.feed.Status().Node, "store", storeName(a.config.Store.URL),
		"accounts", accounts, "keys", keys, "plans", len(a.catalog.Plans), "routes", len(a.catalog.Routes),
		"upstreams", len(a.config.Upstreams), "loaded_ms", time.Since(a.begun).Milliseconds())
}

// logStop logs that requests in flight may end before the node stops.
func (a *App) logStop() {
	a.log.Info("stopping", "version", a.version, "node", a.feed.Status().Node,
		"uptime_s", int64(time.Since(a.begun).Seconds()), "grace", a.config.Gateway.ShutdownGrace.String())
}

// logEnd logs the end of the node. No total is lost if the error is nil.
func (a *App) logEnd(err error) {
	keys, accounts := a.index.Len()
	at := []any{
		"version", a.version, "uptime_s", int64(time.Since(a.begun).Seconds()), "accounts", accounts, "keys", keys,
	}
	if err != nil {
		a.log.Error("stopped", append(at, "error", err.Error())...)
		return
	}
	a.log.Info("stopped", at...)
}

// storeName returns a database URL without its user, password and parameters.
func storeName(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
