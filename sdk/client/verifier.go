package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// DefaultVerifyTimeout bounds a decision of a [Verifier], unless [WithTimeout] sets
// another bound.
const DefaultVerifyTimeout = 2 * time.Second

// The unused connections of a Verifier. They are closed before the server closes them.
const (
	maxIdleVerify  = 256
	idleVerifyTime = 30 * time.Second
)

// Verifier decides on calls by asking a server, over connections that it keeps. It
// implements [httpauth.Verifier] for [httpauth.Require], and is safe for concurrent use.
//
// It keeps no decision, and there is no option for a cache. A revoked key is rejected
// on every node when the revocation returns, each call is counted and charged once, and
// rate limits hold: a kept decision would break all three without notice. A node on the
// same machine or in the same network decides in less than a millisecond.
type Verifier struct {
	client  *Client
	timeout time.Duration
}

// NewVerifier returns a verifier of the server at address, in the forms of [New]. It
// opens no connection. A transport of [WithTransport] that is no *http.Transport is
// used as it is.
func NewVerifier(address string, options ...Option) *Verifier {
	c := New(address, options...)
	v := &Verifier{client: c, timeout: c.Wait.Limit}
	if v.timeout <= 0 {
		v.timeout = DefaultVerifyTimeout
	}
	c.Wait = Wait{} // Verify bounds both tries together
	if c.http.Transport == nil {
		c.http.Transport = http.DefaultTransport
	}
	if t, ok := c.http.Transport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost, t.IdleConnTimeout = 0, maxIdleVerify, idleVerifyTime
		t.DisableCompression = true
		c.http.Transport = t
	}
	return v
}

// Verify decides on one call. An error means that there is no decision, and that the
// call must be rejected with 503. Verify repeats a request once if no byte of it was
// sent, or if the server states that it did not count the call. Both tries share the
// timeout.
func (v *Verifier) Verify(ctx context.Context, c httpauth.Call) (httpauth.Decision, error) {
	bounded, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	request := NewVerifyRequest(c)
	response, err := v.client.Verify(bounded, request)
	if c.Hold == nil && bounded.Err() == nil && isUncounted(&response, err) {
		response, err = v.client.Verify(bounded, request)
	}
	switch {
	case err != nil && ctx.Err() == nil && bounded.Err() != nil:
		return httpauth.Decision{}, fmt.Errorf("no decision within %v: check that the server runs and can be reached, or raise WithTimeout: %w", v.timeout, err)
	case err != nil:
		return httpauth.Decision{}, err
	}
	return response.Decision(), nil
}

// isUncounted reports whether the server surely did not count the call.
func isUncounted(r *VerifyResponse, err error) bool {
	if err == nil {
		return r.Code == toksta.CodeUnavailable
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op == "dial"
	}
	return toksta.ErrorCode(err) == toksta.CodeUnavailable
}

// Settle charges the price of a job, in credits, from the reservation of d, and releases
// the rest. With 0 credits it releases all of them. A repeated call has no further
// effect. The operator key needs the role verify.
func (v *Verifier) Settle(ctx context.Context, d *httpauth.Decision, credits int64) error {
	if d.Reservation == "" {
		return &toksta.Error{Code: toksta.CodeValidation, Message: "The decision holds no credits: set Call.Hold before it is made, with httpauth.WithCall."}
	}
	_, err := v.client.SettleCredits(ctx, CloseRequest{
		AccountRef: AccountRef{Account: d.Principal.AccountID}, Reservation: d.Reservation,
		Credits: credits, IdempotencyKey: "settle " + string(d.Reservation),
	})
	return err
}
