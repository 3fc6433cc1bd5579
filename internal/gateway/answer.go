package gateway

import "net/http"

// passing writes an upstream's response. It hides no optional method of the
// writer below from [http.ResponseController].
type passing struct {
	http.ResponseWriter
	begun bool // the header of the final response is written
}

// Unwrap is for http.ResponseController.
func (w *passing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader keeps fields that are ours to set out of informational responses,
// which reach the client before the final one that we stamp and modify strips.
// It keeps net/http from inventing a Content-Type that the upstream did not send.
func (w *passing) WriteHeader(status int) {
	h := w.Header()
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		strip(h, fromUpstream)
	} else {
		w.begun = true
		if _, typed := h["Content-Type"]; !typed {
			h["Content-Type"] = nil
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
