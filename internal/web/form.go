package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// formResult is the result of a form: the error, the page after a success, and the function that
// shows the form again with the sentences of its errors.
type formResult struct {
	err   error
	next  string
	again func(http.ResponseWriter, *http.Request, view.Errors)
}

// endForm redirects to the next page, or shows the form again. A person who lost the right to send
// the form in the meantime gets the error page, since nothing in the form is wrong.
func (p *Pages) endForm(w http.ResponseWriter, r *http.Request, result formResult) {
	switch {
	case result.err == nil:
		http.Redirect(w, r, result.next, http.StatusSeeOther)
	case toksta.ErrorCode(result.err) == toksta.CodeForbidden:
		p.fail(w, r, result.err)
	default:
		if problems, ok := p.formErrors(w, r, result.err); ok {
			result.again(w, r, problems)
		}
	}
}

// formErrors converts an error into the sentences of a form, as fieldErrors does. If a form cannot
// show the error, formErrors responds with the error page and returns false.
func (p *Pages) formErrors(w http.ResponseWriter, r *http.Request, err error) (view.Errors, bool) {
	problems, ok := fieldErrors(w, r, err)
	if !ok {
		p.fail(w, r, err)
	}
	return problems, ok
}

// fieldErrors converts an error into the sentences of a form, by field; the
// empty name stands for the form as a whole. ok is false for an error that a
// form cannot show. For too many attempts it sets Retry-After. It notes the
// error for the log.
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

// formStatus returns 422 for a form with errors, 429 if it must be sent again
// later, and 200 for a form without errors.
func formStatus(w http.ResponseWriter, problems view.Errors) int {
	switch {
	case len(problems) == 0:
		return http.StatusOK
	case w.Header().Get("Retry-After") != "":
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}

// renameFields replaces the field names of the service by the field names of the
// form, according to names.
func renameFields(problems view.Errors, names map[string]string) view.Errors {
	out := view.Errors{}
	for field, sentence := range problems {
		if name, ok := names[field]; ok {
			field = name
		}
		out[field] = sentence
	}
	return out
}

// kept returns a field of the form that the request sends, or of the draft of it that the page shows
// again. pattern is the pattern of the form's route.
func kept(r *http.Request, pattern, field string) string {
	if fields, again := restored(r, pattern); again {
		return fields.Get(field)
	}
	return r.PostFormValue(field)
}
