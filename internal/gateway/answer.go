package gateway

import (
	"io"
	"net/http"
)

// onlyOurs keeps fields that are ours to set out of the informational answers
// that next passes on: those reach the client before the one that we stamp.
func onlyOurs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(informer{w}, r)
	})
}

// informer hides no optional method of the writer below from
// [http.ResponseController].
type informer struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w informer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader strips informational answers; the final one is done by modify.
func (w informer) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		strip(w.Header(), fromUpstream)
	}
	w.ResponseWriter.WriteHeader(status)
}

// guardTrailer strips the trailer once it is there: at the end of the body, and
// perhaps with fields that the header did not announce.
func guardTrailer(res *http.Response) {
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &trailed{res.Body, res}
	}
}

// trailed is the body of an answer.
type trailed struct {
	io.ReadCloser
	answer *http.Response
}

// Read strips before the reader learns that the body is over.
func (b *trailed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		strip(b.answer.Trailer, fromUpstream)
	}
	return n, err
}
