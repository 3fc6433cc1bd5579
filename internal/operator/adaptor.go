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

// endpoint carries out a request. The actor is an argument, so that each change is
// recorded with its author.
type endpoint[Request, Response any] func(ctx context.Context, by toksta.Actor, r Request) (Response, error)

// router adds endpoints to the API.
type router struct {
	*http.ServeMux
	server server
}

// handle serves fn at POST /operator/v1/<name>.
func handle[Request, Response any](mux router, name string, fn endpoint[Request, Response]) {
	mux.HandleFunc(client.PathPrefix+name, func(w http.ResponseWriter, r *http.Request) {
		x := exchange.FromContext(r.Context())
		x.Operation = name
		response, err := serve(mux.server, w, r, fn)
		if err != nil {
			x.Fail(err)
			httpauth.WriteError(w, &x.Meta, forOperator(err))
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := httpauth.WriteData(w, &x.Meta, http.StatusOK, response); err != nil {
			x.Fail(err)
		}
	})
}

// serve checks the method, the operator's name and the body, the cheapest check first,
// resolves external ids, and calls fn.
func serve[Request, Response any](s server, w http.ResponseWriter, r *http.Request, fn endpoint[Request, Response]) (response Response, err error) {
	if r.Method != http.MethodPost {
		return response, &toksta.Error{
			Code: toksta.CodeMethodNotAllowed, Message: "Use POST.", Details: map[string]any{"allow": http.MethodPost},
		}
	}
	by, err := actor(r)
	if err != nil {
		return response, err
	}
	var request Request
	if err := decode(w, r, &request); err != nil {
		return response, err
	}
	if err := s.resolve(r.Context(), &request); err != nil {
		return response, err
	}
	return fn(r.Context(), by, request)
}

// actor returns the operator with the name that the client states. The name is for the
// audit trail only: opening the socket is the authorization.
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

// forOperator adds the reason and the hint, which the public API does not show, to the
// details of an error.
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

// notFound responds to unknown paths.
func notFound(w http.ResponseWriter, r *http.Request) {
	httpauth.WriteError(w, &exchange.FromContext(r.Context()).Meta, &toksta.Error{Code: toksta.CodeNotFound, Message: "Endpoint not found."})
}
