package operator

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// endpoint is what the adaptor calls: who asks is an argument, so that no
// change can forget to say who made it.
type endpoint[Request, Answer any] func(ctx context.Context, by toksta.Actor, r Request) (Answer, error)

// handle serves fn at POST /operator/v1/<name>: decode, call, encode.
func handle[Request, Answer any](mux *http.ServeMux, name string, fn endpoint[Request, Answer]) {
	mux.HandleFunc(client.PathPrefix+name, func(w http.ResponseWriter, r *http.Request) {
		x := exchange.FromContext(r.Context())
		x.Operation = name
		answer, err := serve(w, r, fn)
		if err != nil {
			x.Fail(err)
			httpauth.WriteError(w, &x.Meta, forOperator(err))
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := httpauth.WriteData(w, &x.Meta, http.StatusOK, answer); err != nil {
			x.Fail(err)
		}
	})
}

// serve refuses in the order in which it costs least: method, name, body.
func serve[Request, Answer any](w http.ResponseWriter, r *http.Request, fn endpoint[Request, Answer]) (answer Answer, err error) {
	if r.Method != http.MethodPost {
		return answer, &toksta.Error{
			Code: toksta.CodeMethodNotAllowed, Message: "Use POST.", Details: map[string]any{"allow": http.MethodPost},
		}
	}
	by, err := actor(r)
	if err != nil {
		return answer, err
	}
	var request Request
	if err := decode(w, r, &request); err != nil {
		return answer, err
	}
	return fn(r.Context(), by, request)
}

// actor is the operator by the name that the client states. Whoever can open
// the socket is the operator; the name is for the audit trail.
func actor(r *http.Request) (toksta.Actor, error) {
	name := r.Header.Get(client.HeaderOperator)
	if name == "" {
		name = "operator"
	}
	name, err := text.Name(client.HeaderOperator, name)
	if err != nil {
		return toksta.Actor{}, err
	}
	return toksta.Actor{Kind: toksta.ActorOperator, ID: name, Name: name, Agent: "operator API"}, nil
}

// forOperator adds to an error's details what the public API keeps to itself:
// the reason and the hint.
func forOperator(err error) error {
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok {
		return err
	}
	out := *e
	out.Details = map[string]any{}
	maps.Copy(out.Details, e.Details)
	if e.Reason != "" {
		out.Details["reason"] = e.Reason
	}
	if e.Hint != "" {
		out.Details["hint"] = e.Hint
	}
	return &out
}

// missing answers paths that are no endpoint.
func missing(w http.ResponseWriter, r *http.Request) {
	httpauth.WriteError(w, &exchange.FromContext(r.Context()).Meta, &toksta.Error{Code: toksta.CodeNotFound, Message: "Endpoint not found."})
}
