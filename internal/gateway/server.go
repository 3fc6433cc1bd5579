package gateway

import (
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/downstream"
)

// Server returns an http.Server for a gateway h whose Config.MaxHeader is maxHeader.
// The limits of the server are higher than those of the gateway, because net/http
// rejects requests above them without the envelope. The caller may change timeouts and
// must serve a [downstream.Listener].
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
