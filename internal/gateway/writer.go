package gateway

import "net/http"

// upstreamWriter writes an upstream's response. Through Unwrap, [http.ResponseController]
// finds the optional methods of the wrapped writer.
type upstreamWriter struct {
	http.ResponseWriter
	names *names
	begun bool // the header of the final response is written
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *upstreamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader removes the fields that only this system may set from informational
// responses, because ReverseProxy does not pass these to modify. It prevents net/http
// from adding a Content-Type that the upstream did not send.
func (w *upstreamWriter) WriteHeader(status int) {
	h := w.Header()
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		strip(h, w.names.forbiddenFromUpstream)
	} else {
		w.begun = true
		if _, typed := h["Content-Type"]; !typed {
			h["Content-Type"] = nil
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
