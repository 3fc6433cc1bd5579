package web

import (
	"errors"
	"net/http"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/web/view"
)

// fail answers with the error page. What a person may not see goes to the
// request's record only.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	telemetry.RecordFrom(r.Context()).Fail(err)
	code := toksta.ErrorCode(err)
	e := view.Error{
		Sheet: p.sheet(), Status: httpauth.Status(code), RequestID: httpauth.ExchangeFrom(r.Context()).RequestID,
		Primary: view.Link{Text: "Go to the account", URL: "/account"},
	}
	switch known, _ := errors.AsType[*toksta.Error](err); {
	case code == toksta.CodeNotFound:
		e.Title, e.Text = "There is nothing here", "The address is wrong, or what it named belongs to another account. No key has changed."
	case code == toksta.CodeUnavailable:
		e.Title, e.Text = "This node cannot vouch for keys right now", "It lost touch with the store, so it admits nothing until it has caught up. No key has changed."
		e.RetrySeconds = 8
		e.Primary = view.Link{Text: "Try again", URL: "/account"}
		w.Header().Set("Retry-After", "8")
	case known != nil && code != toksta.CodeInternal:
		e.Title, e.Text = "That did not work", known.Message+" No key has changed."
	default:
		e.Title, e.Text = "Something failed on our side", "The request id below finds it in the log. Open the account to see whether the change was made."
	}
	p.show(w, r, screen{e.Status, "error"}, e)
}

// notFound answers an address of the pages that has none, and a method that
// no page has.
func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, toksta.NotFound("page"))
}

// crossOrigin answers a form that a browser says another site sent. It cannot
// happen by following the pages' own links.
func (p *Pages) crossOrigin(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "The form was sent from another site."})
}

// fieldErrors turns a refusal into the sentences of a form: beside the field
// it names, else above the form. ok is false for what a form cannot show.
func fieldErrors(err error) (view.Errors, bool) {
	e, known := errors.AsType[*toksta.Error](err)
	if !known {
		return nil, false
	}
	switch e.Code {
	case toksta.CodeValidation, toksta.CodeConflict, toksta.CodeForbidden, toksta.CodeRateLimited, toksta.CodeUnauthorized:
	default:
		return nil, false
	}
	field, _ := e.Details["field"].(string)
	return view.Errors{field: e.Message}, true
}
