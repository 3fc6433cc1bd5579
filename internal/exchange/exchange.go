// Package exchange holds the one value that belongs to a request: what the
// client sent that the log repeats, the decision, and what the response says.
//
// It is created where a request enters the process, travels in the request's
// context, and is fetched from there once by each handler. Every stage of the
// request path adds its part; the log record is written from it when the
// response is over. It holds no secret, no query string and no body, knows no
// HTTP library's types, and decides nothing.
package exchange

import (
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Outcome classifies the end of a request for the log. It separates a failure
// of this system from a client's mistake without reading statuses.
type Outcome string

// The outcomes of a request. Their text is the log's and stays.
const (
	Answered   Outcome = "answered"    // status below 400
	Refused    Outcome = "refused"     // rejected by this system, with a code
	Failed     Outcome = "failed"      // 5xx of this system
	ClientGone Outcome = "client_gone" // the client disconnected before the response
	Aborted    Outcome = "aborted"     // the response was cut off
)

// Settler charges or releases the credits that a decision holds. It is called
// exactly once for each admitted call, before the first byte of the response.
type Settler interface {
	Settle(d *toksta.Decision, c toksta.Call, credits int64) toksta.Charge
}

// Exchange is one request and its response. It belongs to the goroutine that
// serves the request; other goroutines must not read it before the response is
// over.
type Exchange struct {
	// Meta is the part of the response that does not depend on its body.
	httpauth.Meta
	// Traceparent is the W3C trace context for the upstream, "" when the client
	// sent a trace id of another form.
	Traceparent string

	Start   time.Time
	Method  string
	Address netip.Addr // the client's; invalid when it is not known

	Operation string // of the matched route; "" without one
	Family    toksta.Family
	Principal toksta.Principal // of the key, or of the signed-in member
	Member    toksta.MemberID  // who is signed in, or whose sign-in failed

	// Call and Decision are set once the key's credential was read. Admitted
	// says whether the call goes on.
	Call     toksta.Call
	Decision toksta.Decision
	// UpstreamCost is the cost that the upstream stated, in credits; nil charges
	// the credits that the decision holds.
	UpstreamCost *int64

	Outcome  Outcome // "" derives it from the status
	Code     toksta.Code
	Reason   toksta.Reason
	Err      error // an internal failure, for operators only
	Status   int   // 0 before the response's header
	Bytes    int64 // of the response's body
	Duration time.Duration

	settler  Settler
	admitted bool
	settled  bool
}
