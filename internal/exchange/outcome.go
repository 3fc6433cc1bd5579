package exchange

import (
	"errors"

	"github.com/toksta/toksta/sdk/toksta"
)

// Fail records the error of the response. It keeps the text of an internal error and the
// cause of an outage for operators. Of other errors it keeps the code and the reason
// only, because their messages could contain client input.
func (x *Exchange) Fail(err error) {
	x.Code = toksta.ErrorCode(err)
	x.Reason = ""
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		x.Reason = e.Reason
	}
	_, plain := err.(*toksta.Error)
	if x.Code == toksta.CodeInternal || x.Code == toksta.CodeUnavailable && !plain {
		x.Err = err
	}
}

// SetVerified records in x, the request of another program, the decision on the call c about
// which that program asked: with the ids of c, so that the record is found by the id that
// the client of c received.
func (x *Exchange) SetVerified(c *Exchange) {
	x.RequestID, x.TraceID, x.Traceparent = c.RequestID, c.TraceID, c.Traceparent
	x.Verified, x.Family, x.Principal, x.Call = c.Operation, c.Family, c.Principal, c.Call
	if c.Address.IsValid() {
		x.Address = c.Address
	}
	x.Code, x.Reason, x.Err, x.Cost = c.Code, c.Reason, c.Err, c.Cost
	switch {
	case c.Code == toksta.CodeUnavailable || c.Code == toksta.CodeInternal:
		x.Outcome = Failed
	case c.Code != "":
		x.Outcome = Rejected
	}
}

// Result returns the outcome that a stage set, or the one that the status
// implies. It is final once the response has ended.
func (x *Exchange) Result() Outcome {
	switch {
	case x.Outcome != "":
		return x.Outcome
	case x.Status >= 500:
		return Failed
	case x.Status >= 400:
		return Rejected
	default:
		return Succeeded
	}
}
