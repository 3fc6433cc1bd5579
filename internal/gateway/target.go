package gateway

import (
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/admit"
)

// Server returns an http.Server with the bounds that a gateway with that
// MaxHeader counts on: net/http answers beyond them by itself, without the
// envelope, so they lie above the gateway's own. A body that stands still is
// not waited for. The caller changes timeouts and adds what else it needs.
func Server(h http.Handler, maxHeader int) *http.Server {
	return &http.Server{
		Handler:                      timed(maxStall, h),
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
