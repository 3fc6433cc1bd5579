package app

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// minCompressed is the length from which a response is compressed, in bytes. A shorter
// one fits into one packet.
const minCompressed = 1 << 10

// compressor returns a wrapper that compresses the text of a handler with gzip. It
// wraps the handlers of this program, never the responses of an upstream. A page that
// shows a secret switches it off.
func compressor() (func(http.Handler) http.HandlerFunc, error) {
	return gzhttp.NewWrapper(
		gzhttp.MinSize(minCompressed), gzhttp.EnableZstd(false),
		gzhttp.ContentTypes([]string{"text/html", "text/css", "text/javascript", "text/csv", "text/plain", "application/json", "image/svg+xml"}),
	)
}

// all wraps each handler.
func all(wrap func(http.Handler) http.HandlerFunc, handlers map[string]http.Handler) map[string]http.Handler {
	out := map[string]http.Handler{}
	for name, h := range handlers {
		out[name] = wrap(h)
	}
	return out
}
