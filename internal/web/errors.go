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

// retrySeconds is when a page that could not be read is asked for again.
const retrySeconds = 8

// fail answers with the error page. What a person may not see goes to the
// request's record only.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchange.FromContext(r.Context())
	x.Fail(err)
	code := toksta.ErrorCode(err)
	e := view.Error{
		Sheet: p.sheet(), Status: httpauth.Status(code), RequestID: x.RequestID,
		Primary: view.Link{Text: "Go to the account", URL: "/account"},
	}
	known, _ := errors.AsType[*toksta.Error](err)
	if code == toksta.CodeUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
	}
	switch {
	case code == toksta.CodeNotFound:
		e.Title, e.Text = "There is nothing here", "The address is wrong, or what it named belongs to another account. No key has changed."
	case known != nil && known.Reason == toksta.ReasonStoreUnavailable: // and nothing before it says that a change was written
		e.Title, e.Text = "The account cannot be reached right now", "This page could not be read or changed, and nothing was changed. It tries again by itself."
		e.RetrySeconds = retrySeconds
		e.Primary = view.Link{Text: "Try again", URL: "/account"}
	case code == toksta.CodeUnavailable:
		e.Title, e.Text = "The change may have been made", "It was written, or begun, but not confirmed to us. Open the account to see whether it was made before you repeat it."
	case known != nil && code != toksta.CodeInternal:
		e.Title, e.Text = "That did not work", known.Message+" No key has changed."
	default:
		e.Title, e.Text = "Something failed on our side", "The request id below finds it in the log. Open the account to see whether the change was made."
	}
	p.show(w, r, screen{e.Status, "error"}, e)
}

// notFound responds to an address that has no page.
func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, toksta.NotFound("page"))
}

// noPage responds to a request that no page takes: 405 with the methods that
// refuse, the multiplexer's own handler, allows at this address, 404 without any.
func (p *Pages) noPage(w http.ResponseWriter, r *http.Request, refuse http.Handler) {
	response := unsent{}
	refuse.ServeHTTP(response, r)
	allow := response.Header().Get("Allow")
	if allow == "" {
		p.notFound(w, r)
		return
	}
	w.Header().Set("Allow", allow)
	p.fail(w, r, &toksta.Error{Code: toksta.CodeMethodNotAllowed, Message: "This address does not take " + r.Method + "."})
}

// unsent is a response of which only the header is kept.
type unsent http.Header

// Header implements [http.ResponseWriter].
func (u unsent) Header() http.Header { return http.Header(u) }

// Write implements [http.ResponseWriter].
func (unsent) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (unsent) WriteHeader(int) {}

// crossOrigin answers a form that a browser says another site sent. It cannot
// happen by following the pages' own links.
func (p *Pages) crossOrigin(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "The form was sent from another site."})
}

// fieldErrors turns a refusal into the sentences of a form: beside each field
// it names, else above the form. ok is false for what a form cannot show. The
// header of a response to too many attempts says when to come back, and the log
// has the code.
func fieldErrors(w http.ResponseWriter, r *http.Request, err error) (view.Errors, bool) {
	e, known := errors.AsType[*toksta.Error](err)
	if !known {
		return nil, false
	}
	switch e.Code {
	case toksta.CodeValidation, toksta.CodeConflict, toksta.CodeForbidden, toksta.CodeRateLimited, toksta.CodeUnauthorized:
	default:
		return nil, false
	}
	exchange.FromContext(r.Context()).Fail(err)
	if seconds, ok := e.Details["retry_after"].(int); ok {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if fields := e.Fields(); len(fields) > 0 {
		return fields, true
	}
	return view.Errors{"": e.Message}, true
}

// formStatus is 422 for a form that comes back with something to correct, and
// 429 for one that is to be sent again later.
func formStatus(w http.ResponseWriter, faults view.Errors) int {
	switch {
	case len(faults) == 0:
		return http.StatusOK
	case w.Header().Get("Retry-After") != "":
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}
