package client

import (
	"net/http"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxAgent is the length of a User-Agent that a server records, in bytes.
const maxAgent = 256

// NewVerifyRequest returns the request for a decision on c.
func NewVerifyRequest(c httpauth.Call) VerifyRequest {
	r := VerifyRequest{
		Authorization: joinAuthorization(c.Authorization), Operation: c.Operation, Method: c.Method, Target: validText(c.Target),
		Address: c.Address, Agent: validText(c.Agent[:min(len(c.Agent), maxAgent)]), Credits: c.Credits,
		RequestID: validText(c.RequestID), Traceparent: validText(c.Traceparent), TraceID: validText(c.TraceID),
	}
	if h := c.Hold; h != nil {
		r.Hold = &VerifyHold{Job: h.Job, ExpiresIn: int64(h.Expires / time.Second)}
	}
	return r
}

// validText replaces bytes that are not UTF-8, which JSON cannot carry, by a character
// that is accepted in no path and no id.
func validText(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// joinAuthorization returns the lines of the Authorization field as one value. Several
// lines, and one empty line, become a value that is rejected as malformed.
func joinAuthorization(lines []string) string {
	value := validText(strings.Join(lines, ", "))
	if len(lines) > 0 && strings.Trim(value, " \t") == "" {
		return ","
	}
	return value
}

// Decision returns the response in the plain values of package httpauth.
func (r *VerifyResponse) Decision() httpauth.Decision {
	d := httpauth.Decision{
		Admitted: r.Admitted, Public: r.Public, Code: r.Code, Reason: r.Reason,
		Operation: r.Operation, Family: r.Family, Identity: r.Identity, IdentityPrefix: r.IdentityPrefix,
		Reply: httpauth.Reply{Status: r.Response.Status, Header: make(http.Header, len(r.Response.Headers)), Body: r.Response.Body},
	}
	for name, value := range r.Response.Headers {
		d.Reply.Header.Set(name, value)
	}
	if p := r.Principal; p != nil {
		d.Principal = toksta.Principal{AccountID: p.AccountID, KeyID: p.KeyID, Plan: p.Plan, Scopes: p.Scopes}
	}
	if rate := r.Rate; rate != nil {
		d.Rate = toksta.RateState{Limit: rate.Limit, Remaining: rate.Remaining, Reset: rate.Reset}
	}
	if c := r.Credits; c != nil {
		d.Charged = c.Charged
		if c.Reservation != nil {
			d.Reservation = c.Reservation.ID
		}
	}
	return d
}
