package telemetry

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
)

// recorder notes the status and the length of a response in its exchange. Before
// the first byte of the response to an admitted call it settles the call and sets
// the fields of the decision. It hides no optional method of the writer below
// from [http.ResponseController].
type recorder struct {
	http.ResponseWriter
	x *exchange.Exchange
}

// begin records the final status. For an admitted or public call, it also settles the call
// and sets the header fields of the decision, so it must run before any byte is
// sent. Only the first call has an effect.
func (w *recorder) begin(status int) {
	if w.x.Status != 0 {
		return
	}
	w.x.Status = status
	if w.x.Admitted() || w.x.Public {
		w.x.CloseHold(status)
		w.x.Apply(w.Header())
	}
}

// Unwrap supports http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes informational responses on before the final one.
func (w *recorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.x.Bytes += int64(n)
	return n, err
}

// ReadFrom keeps the fast paths of the writer below, such as sendfile.
func (w *recorder) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	n, err := io.Copy(w.ResponseWriter, src)
	w.x.Bytes += n
	return n, err
}

// Flush supports handlers that use http.Flusher.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError sends the header unless it was sent.
func (w *recorder) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack settles the call with the status 101, because the handler stops using
// HTTP on the connection.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
	}
	return conn, rw, err
}
