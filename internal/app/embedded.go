package app

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/verifyapi"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Started returns a channel that is closed when the node can decide: it holds a lease and
// knows every key and balance.
func (a *App) Started() <-chan struct{} { return a.started }

// Handler returns the handler of the public listener.
func (a *App) Handler() http.Handler { return a.served.public }

// PagesHandler returns the handler of the account pages.
func (a *App) PagesHandler() http.Handler { return a.served.pages }

// Verify decides on a call that the program around this node received, as the verify API
// does, and writes the record of the decision. It implements httpauth.Verifier.
func (a *App) Verify(ctx context.Context, c httpauth.Call) (httpauth.Decision, error) {
	request := client.NewVerifyRequest(c)
	response, call, err := a.calls.Verify(ctx, verifyapi.Question{Call: &request, By: embedding})
	if err != nil {
		return httpauth.Decision{}, err
	}
	record := &exchange.Exchange{
		Start: call.Start, Method: c.Method, Path: a.loggedPath(c.Target), Operation: "verify",
		Status: cmp.Or(response.Response.Status, http.StatusOK),
	}
	record.SetVerified(call)
	record.Duration = time.Since(call.Start)
	a.record.Record(record)
	return response.Decision(), nil
}

// loggedPath returns the path of a request target for a record; "" if the target is no URL.
func (a *App) loggedPath(target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return ""
	}
	return telemetry.LoggedPath(u.Path, a.record.KeyPrefix)
}

// embedding is the actor of the reservations of calls that Verify decides.
var embedding = toksta.Actor{Kind: toksta.ActorOperator, Name: "embedded node"}
