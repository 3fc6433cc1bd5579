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
