// Package exchange holds the value that belongs to one request and its response: the
// request's identifiers, the decision, and the data of the log record.
//
// It is created where a request enters the process and travels in the request's
// context, from which each handler fetches it once. Every stage of the request path
// adds its part. At the end of the response the log record is written from it. It
// contains no secret, no query string, no body and no types of an HTTP library.
package exchange

import (
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Outcome classifies the end of a request for the log. It separates failures of this
// system from errors of clients.
type Outcome string

// The outcomes of a request. Their text is part of the log format.
const (
	Succeeded  Outcome = "answered"    // status below 400
	Rejected   Outcome = "refused"     // rejected by this system, with a code
	Failed     Outcome = "failed"      // 5xx of this system
	ClientGone Outcome = "client_gone" // the client disconnected before the response
	Aborted    Outcome = "aborted"     // the response was cut off
)

// Charger ends the hold and the count of a decision. Both methods are called exactly once for
// each admitted call.
type Charger interface {
	// Charge charges or releases the credits that a decision holds, before the first
	// byte of the response. It returns the charge and how many of its credits the
	// account owes.
	Charge(d *toksta.Decision, c toksta.Call, credits int64) (charge toksta.Charge, owed int64)
	// End ends the call when its response has ended. It stops counting as a
	// concurrent call of its account.
	End(d *toksta.Decision)
}

// Exchange is one request and its response. Until the response has ended, only the
// goroutine that serves the request may use the exchange.
type Exchange struct {
	// Meta is the part of the response that does not depend on its body.
	httpauth.Meta
	// Traceparent is the W3C trace context for the upstream, "" when the client
	// sent a trace id of another form.
	Traceparent string

	Start   time.Time
	Method  string
	Path    string     // of the target, decoded, without the query and without secrets
	Address netip.Addr // of the client; invalid if unknown

	Operation string // of the matched route; "" if no route matches
	// Verified is the operation of the call on which another program asked for a decision,
	// if the request is such a question; see SetVerified.
	Verified  string
	Family    toksta.Family
	Public    bool             // a call of a public route of an upstream: without a key and an account
	Principal toksta.Principal // of the key, or of the signed-in member
	Member    toksta.MemberID  // the member who is signed in, or whose sign-in failed
	// Operator is the operator key of a request over the network, also of a rejected one.
	Operator toksta.OperatorKeyID
	// Fingerprint identifies an unknown key without revealing it. It is zero for a known
	// key and for a request without a key.
	Fingerprint [8]byte

	// Call and Decision are set once the credential was parsed. Admitted reports
	// whether the call is admitted.
	Call     toksta.Call
	Decision toksta.Decision
	// UpstreamCost is the cost in credits that the upstream stated. If it is nil,
	// the credits that the decision holds are charged.
	UpstreamCost *int64

	Outcome  Outcome // "" if it follows from the status
	Code     toksta.Code
	Reason   toksta.Reason
	Err      error // an internal failure, for operators only
	Status   int   // 0 before the response's header
	Bytes    int64 // length of the response's body
	Duration time.Duration

	charger  Charger
	admitted bool
	closed   bool
	ended    bool
}
