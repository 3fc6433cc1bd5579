package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// retrySeconds is the time after which a page that could not be read is
// requested again.
const retrySeconds = 8

// fail responds with the error page. The page does not contain the text of an
// internal error, which goes to the request's record.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchange.FromContext(r.Context())
	x.Fail(err)
	code := toksta.ErrorCode(err)
	e := view.Error{
		Sheet: p.sheet(), Status: httpauth.Status(code), RequestID: x.RequestID,
		Primary: homeLink(r.Context()),
	}
	known, _ := errors.AsType[*toksta.Error](err)
	if code == toksta.CodeUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
	}
	switch {
	case code == toksta.CodeNotFound:
		e.Title, e.Text = "There is nothing here", "The address is wrong, or its page belongs to another account. No key has changed."
	case known != nil && known.Reason == toksta.ReasonStoreUnavailable: // and no outer error reports a written change
		e.Title, e.Text = "The account cannot be reached right now", "The page could not be loaded, and nothing was changed."
		e.RetrySeconds = retrySeconds
		e.Primary = view.Link{Text: "Try again", URL: home(r.Context())}
	case code == toksta.CodeUnavailable:
		e.Title, e.Text = "The change may have been made", "It was sent to the database, but not confirmed. Open the account to see whether it was made before you repeat it."
	case known != nil && code != toksta.CodeInternal:
		e.Title, e.Text = "That did not work", known.Message+" No key has changed."
	default:
		e.Title, e.Text = "Something failed on our side", "The request id below finds it in the log. Open the account to see whether the change was made."
	}
	p.show(w, r, screen{e.Status, "error"}, e)
}

// notFound responds with the error page to a request for an address without a
// page.
func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, toksta.NotFound("page"))
}

// noPage responds to a request without a page: 405 with the methods that the
// multiplexer allows for this address, or 404 if it allows none. The parameter
// mismatch is the handler that the multiplexer returned for the request.
func (p *Pages) noPage(w http.ResponseWriter, r *http.Request, mismatch http.Handler) {
	response := headerOnly{}
	mismatch.ServeHTTP(response, r)
	allow := response.Header().Get("Allow")
	if allow == "" {
		p.notFound(w, r)
		return
	}
	w.Header().Set("Allow", allow)
	p.fail(w, r, &toksta.Error{Code: toksta.CodeMethodNotAllowed, Message: "This address does not take " + r.Method + "."})
}

// headerOnly is a ResponseWriter that keeps only the header.
type headerOnly http.Header

// Header implements [http.ResponseWriter].
func (h headerOnly) Header() http.Header { return http.Header(h) }

// Write implements [http.ResponseWriter].
func (headerOnly) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (headerOnly) WriteHeader(int) {}

// crossOrigin rejects a form that another site sent, according to the browser.
// Links never cause it, because the check applies only to unsafe methods.
func (p *Pages) crossOrigin(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "The form was sent from another site."})
}

// isUnauthorized reports whether err states that there is no session, or that a link was used.
func isUnauthorized(err error) bool {
	return errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized})
}
