package gateway

import (
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/downstream"
)

// Server returns an http.Server with the bounds that a gateway with that
// MaxHeader counts on: net/http answers beyond them by itself, without the
// envelope, so they lie above the gateway's own. The caller changes timeouts
// and serves a [downstream.Listener].
func Server(h http.Handler, maxHeader int) *http.Server {
	return &http.Server{
		Handler:                      downstream.Handler(h),
		ReadHeaderTimeout:            10 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               2 * (maxHeader + admit.MaxTarget),
		DisableGeneralOptionsHandler: true,
	}
}

// headerSize returns the length of the fields on the wire. It is approximate,
// because net/http has dropped the white space around values.
func headerSize(h http.Header) int {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	return size
}
