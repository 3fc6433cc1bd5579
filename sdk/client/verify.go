package client

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/toksta/toksta/sdk/toksta"
)

// MaxVerifyBatch is the largest number of calls in one request of VerifyBatch.
const MaxVerifyBatch = 1000

// VerifyRequest describes one call that another program received, such as the vendor's
// back end. Either Key or Authorization is set, or neither if the call has no credential.
// Either Operation is set, or Method and Target. A VerifyRequest contains a secret: fmt
// does not print it, but its JSON contains it.
type VerifyRequest struct {
	Key string `json:"key,omitempty"` // the plaintext key
	// Authorization is the value of the field of this name. A program that received
	// several field lines joins them with ", "; the call is then rejected, as the gateway
	// rejects it.
	Authorization string     `json:"authorization,omitempty"`
	Operation     string     `json:"operation,omitempty"` // of a configured route
	Method        string     `json:"method,omitempty"`
	Target        string     `json:"target,omitempty"`     // the request target as it was sent, with its query
	Address       netip.Addr `json:"address,omitzero"`     // of the client; without it, a key that is limited to networks is rejected
	Agent         string     `json:"agent,omitempty"`      // User-Agent, for "last used"
	RequestID     string     `json:"request_id,omitempty"` // X-Request-Id of the call; repeated in the response if it is safe
	Traceparent   string     `json:"traceparent,omitempty"`
	TraceID       string     `json:"trace_id,omitempty"` // X-Trace-Id of the call
	// Credits replaces the price of the route, from 0 to 1,000,000.
	Credits *int64 `json:"credits,omitempty"`
	// Hold reserves the credits instead of charging them.
	Hold *VerifyHold `json:"hold,omitempty"`
}

// VerifyHold asks for a reservation, which [Client.SettleCredits] charges and
// [Client.RefundCredits] releases, on any node.
type VerifyHold struct {
	// Job is the idempotency key of the reservation: a repeated request with the same
	// job, key, route and credits gets the first reservation again. The call itself is
	// decided and counted again.
	Job       string `json:"job"`
	ExpiresIn int64  `json:"expires_in_seconds,omitempty"` // 0: one day
}

// VerifyResponse is the decision on one call.
type VerifyResponse struct {
	Admitted  bool             `json:"admitted"`
	Public    bool             `json:"public,omitempty"`  // the route needs no key
	Code      toksta.Code      `json:"code,omitempty"`    // of a rejection
	Reason    toksta.Reason    `json:"reason,omitempty"`  // for the vendor: Response shows no reason of a 401
	Message   string           `json:"message,omitempty"` // as in Response
	Operation string           `json:"operation,omitempty"`
	Family    toksta.Family    `json:"family,omitempty"`
	Principal *VerifyPrincipal `json:"principal,omitempty"` // also of a rejected call with a known key
	Rate      *VerifyRate      `json:"rate,omitempty"`
	Credits   *VerifyCredits   `json:"credits,omitempty"` // of an admitted call with a price
	Response  VerifyReply      `json:"response"`
	// Identity has the header fields for the back end: the caller (with the vendor's
	// prefix) and the ids of the request. A program that forwards the call first removes
	// the client's fields of these names, in every spelling.
	Identity map[string]string `json:"identity,omitempty"`
	// IdentityPrefix is the vendor's prefix, such as "X-Toksta-", of an admitted call. The
	// client's fields with this prefix are removed too, also on a public route.
	IdentityPrefix string `json:"identity_prefix,omitempty"`
}

// VerifyPrincipal is the account and the key of a call.
type VerifyPrincipal struct {
	AccountID toksta.AccountID `json:"account_id"`
	KeyID     toksta.KeyID     `json:"key_id"`
	Plan      toksta.PlanID    `json:"plan"`
	Scopes    []toksta.Family  `json:"scopes"` // that the key may call
}

// VerifyRate is the tightest rate window, as the X-RateLimit fields state it.
type VerifyRate struct {
	Limit     int   `json:"limit"`
	Remaining int   `json:"remaining"`
	Reset     int64 `json:"reset"` // Unix seconds
}

// VerifyCredits are the credits of an admitted call.
type VerifyCredits struct {
	Charged     int64        `json:"charged"`
	Reservation *Reservation `json:"reservation,omitempty"` // of a hold
}

// VerifyReply is the part of the response to the client that Toksta determines. If the call
// is rejected, the reply is the whole response. If it is admitted, the reply has only
// header fields, for the response of the back end. Names are in canonical form.
type VerifyReply struct {
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// VerifyBatchRequest has the calls of VerifyBatch.
type VerifyBatchRequest struct {
	Calls []VerifyRequest `json:"calls"`
}

// VerifyBatchResponse has the decisions, in the order of the calls.
type VerifyBatchResponse struct {
	Decisions []VerifyResponse `json:"decisions"`
}

// String returns a text without the secret.
func (VerifyRequest) String() string { return "[verify request]" }

// GoString returns a text without the secret.
func (VerifyRequest) GoString() string { return "[verify request]" }

// Verify decides on a call as the gateway does: it admits or rejects the call, counts it,
// takes it from the rate limits and charges its credits, all before it returns. A rejected
// call is no error. An error means that there is no decision: the call must be rejected
// with 503. There is no cache on purpose: a decision is valid for one call only, so that a
// revocation is enforced when it returns.
func (c *Client) Verify(ctx context.Context, r VerifyRequest) (VerifyResponse, error) {
	return call[VerifyResponse](ctx, c, "verify", r)
}

// VerifyBatch decides on up to 1,000 calls, each by itself and in their order. A malformed
// call is a decision with the code BAD_REQUEST and does not affect the others.
func (c *Client) VerifyBatch(ctx context.Context, calls []VerifyRequest) ([]VerifyResponse, error) {
	response, err := call[VerifyBatchResponse](ctx, c, "verify/batch", VerifyBatchRequest{calls})
	return response.Decisions, err
}
