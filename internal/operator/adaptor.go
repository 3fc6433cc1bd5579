package operator

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// endpoint carries out a request. The actor is an argument, so that each change is
// recorded with its author.
type endpoint[Request, Response any] func(ctx context.Context, by toksta.Actor, r Request) (Response, error)

// target is the operation of a request.
type target struct {
	server
	operation *Operation
}

// serve identifies the author, checks the method and the body, resolves external ids, and
// calls fn. A client that is not authorized learns nothing from the other checks.
func serve[Request, Response any](t target, w http.ResponseWriter, r *http.Request, fn endpoint[Request, Response]) (response Response, err error) {
	if _, err := t.identify(r, t.operation); err != nil {
		return response, err
	}
	if r.Method != http.MethodPost {
		return response, &toksta.Error{
			Code: toksta.CodeMethodNotAllowed, Message: "Use POST.", Details: map[string]any{"allow": http.MethodPost},
		}
	}
	var request Request
	if err := decode(w, r, &request); err != nil {
		return response, err
	}
	// The body can have taken a long time, in which the key of the request was revoked.
	by, err := t.identify(r, t.operation)
	if err != nil {
		return response, err
	}
	ctx := context.WithValue(r.Context(), identityKey{}, by)
	if err := t.resolve(ctx, &request); err != nil {
		return response, err
	}
	return fn(ctx, by.Actor, request)
}

// agent is the tool of all authors, for the audit trail.
const agent = "operator API"

// byName returns the operator with the name that the client states. The name is for the
// audit trail only: opening the socket is the authorization.
func byName(r *http.Request, _ *Operation) (identity, error) {
	name := r.Header.Get(client.HeaderOperator)
	if name == "" {
		name = "operator"
	}
	name, err := text.Name(client.HeaderOperator, name)
	if err != nil {
		return identity{}, err
	}
	if strings.HasPrefix(name, toksta.PrefixOperatorKey) {
		return identity{}, toksta.Invalid(client.HeaderOperator, "A name cannot start as the id of an operator key does.")
	}
	return identity{
		Actor: toksta.Actor{Kind: toksta.ActorOperator, ID: name, Name: name, Agent: agent},
		key:   toksta.OperatorGrant{Roles: toksta.Roles()},
	}, nil
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
func (s server) notFound(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	_, err := s.identify(r, nil)
	if err == nil {
		err = &toksta.Error{Code: toksta.CodeNotFound, Message: "Endpoint not found."}
	}
	x.Fail(err)
	httpauth.WriteError(w, &x.Meta, forOperator(err))
}
