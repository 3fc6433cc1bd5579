package verifyapi

import (
	"errors"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// rejected returns the decision on a call that was rejected with err, which x records.
func (v *Verifier) rejected(x *exchange.Exchange, err error) client.VerifyResponse {
	out := describe(x)
	out.Code, out.Reason = x.Code, x.Reason
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		out.Message = e.Message
	}
	out.Response = reply(httpauth.ErrorReply(&x.Meta, err))
	return out
}

// admitted returns the decision on an admitted call, whose credits are charged.
func (v *Verifier) admitted(x *exchange.Exchange) client.VerifyResponse {
	out := describe(x)
	out.Admitted, out.Public = true, !x.Admitted()
	if x.Billable {
		out.Credits = &client.VerifyCredits{Charged: x.Cost}
	}
	out.Response = reply(httpauth.AdmittedReply(&x.Meta))
	identity := setter{}
	if !out.Public {
		v.config.Names.SetIdentity(identity, &x.Principal)
	}
	x.SetIDs(identity, x.Traceparent)
	out.Identity, out.IdentityPrefix = identity, v.config.Names.Prefix
	return out
}

// describe returns the parts of a decision that admitted and rejected calls share.
func describe(x *exchange.Exchange) client.VerifyResponse {
	out := client.VerifyResponse{Operation: x.Operation, Family: x.Family}
	if p := &x.Principal; p.KeyID != "" {
		out.Principal = &client.VerifyPrincipal{AccountID: p.AccountID, KeyID: p.KeyID, Plan: p.Plan, Scopes: p.Scopes}
	}
	if x.Rate.Limit > 0 {
		out.Rate = &client.VerifyRate{Limit: x.Rate.Limit, Remaining: max(0, x.Rate.Remaining), Reset: x.Rate.Reset}
	}
	return out
}

// reply converts a response to the form of the API.
func reply(r httpauth.Reply) client.VerifyReply {
	out := client.VerifyReply{Status: r.Status, Headers: make(map[string]string, len(r.Header)), Body: r.Body}
	for name, values := range r.Header {
		out.Headers[http.CanonicalHeaderKey(name)] = values[0]
	}
	return out
}

// setter collects header fields in a map.
type setter map[string]string

// Set sets a field.
func (s setter) Set(name, value string) { s[name] = value }
