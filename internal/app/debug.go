package app

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
)

// debugging is the name of the listener of profiles.
const debugging = "debug"

// listenDebug binds a TCP address, or a socket if the address starts with "unix:".
func listenDebug(address string) (net.Listener, error) {
	if path, isSocket := strings.CutPrefix(address, "unix:"); isSocket {
		return listenSocket(path)
	}
	return listenTCP(address)
}

// profiles serves net/http/pprof. It rejects a request for a host name other than
// localhost: a web page could reach this machine under a name of its own.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "localhost" {
			http.Error(w, "profiles are served under an address or localhost only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
