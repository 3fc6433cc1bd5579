package httpauth

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/toksta/toksta"
)

// Passage is one admitted call on its way through the handler that answers
// it. It belongs to the request's goroutine.
type Passage struct {
	Decision *toksta.Decision
	Call     toksta.Call
	Exchange *Exchange
	Settler  Settler // nil settles nothing
	// Cost is what the handler measured, set before its answer starts; nil
	// charges what the decision holds.
	Cost *int64

	settled bool
}

// passageKey finds the passage in a context.
type passageKey struct{}

// PassageFrom returns the admitted call that the request is, nil when nobody
// was admitted.
func PassageFrom(ctx context.Context) *Passage {
	p, _ := ctx.Value(passageKey{}).(*Passage)
	return p
}

// Serve runs next and settles the call exactly once: just before the header
// of next's answer, or with nothing when next panics before it.
func (p *Passage) Serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer p.settle(http.StatusInternalServerError)
	answer := &passageWriter{ResponseWriter: w, passage: p}
	next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), passageKey{}, p)))
	answer.begin(http.StatusOK)
}

// Abandon settles a call whose caller hung up before the answer, at what the
// decision holds: the work behind it may be done, and asking without waiting
// must not make it free.
func (p *Passage) Abandon() { p.settle(http.StatusOK) }

// settle charges an answer below 400 and gives the hold back otherwise; only
// its first call counts.
func (p *Passage) settle(status int) {
	if p.settled {
		return
	}
	p.settled = true
	var credits int64
	if status < http.StatusBadRequest {
		credits = p.Decision.Hold
		if p.Cost != nil {
			credits = *p.Cost
		}
	}
	p.Exchange.Billable = p.Decision.Hold > 0 || credits > 0
	if p.Settler != nil {
		p.Exchange.Cost = p.Settler.Settle(p.Decision, p.Call, credits).Credits
	}
}

// passageWriter settles before the first byte. It hides no optional method of
// the writer below from [http.ResponseController].
type passageWriter struct {
	http.ResponseWriter
	passage *Passage
	begun   bool
}

// Unwrap is for http.ResponseController.
func (w *passageWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin runs once, when the final status is known and no byte is out.
func (w *passageWriter) begin(status int) {
	if !w.begun {
		w.begun = true
		w.passage.settle(status)
		w.passage.Exchange.Stamp(w.Header())
	}
}

// WriteHeader lets informational answers pass before the final one.
func (w *passageWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implies status 200, as it does everywhere.
func (w *passageWriter) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps the fast paths of the writer below.
func (w *passageWriter) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	return io.Copy(w.ResponseWriter, src)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *passageWriter) Flush() { _ = w.FlushError() }

// FlushError sends the header, so it settles too.
func (w *passageWriter) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack leaves HTTP, so it settles like a switch of protocols.
func (w *passageWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.begin(http.StatusSwitchingProtocols)
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
