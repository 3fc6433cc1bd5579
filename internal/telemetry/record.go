// Package telemetry writes what happened: the process's structured log and
// the one record per request.
//
// It stands around the whole request path. Stations add what they learn to
// the [Record] in the request's context; it is written once, when the answer
// is over. A record never holds a secret, a query string, a header value or a
// body, and nothing here influences an answer but the recovery of a panic.
package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/toksta/toksta"
)

// Outcome is what became of a request, for the log. A count of outcomes tells a
// fault of ours from a caller's without reading statuses.
type Outcome string

// The outcomes of a request.
const (
	Answered   Outcome = "answered"    // below status 400
	Refused    Outcome = "refused"     // by us, with a code
	Failed     Outcome = "failed"      // 5xx of ours
	ClientGone Outcome = "client_gone" // nobody was left to answer
	Aborted    Outcome = "aborted"     // cut off in the middle of the answer
)

// Record is what is known of one request. It belongs to the request's
// goroutine and is complete when the answer is.
type Record struct {
	Start     time.Time
	RequestID string
	TraceID   string
	Method    string
	Operation string // the route's; "" when none matched
	Family    toksta.Family
	Principal toksta.Principal
	Address   string // the client's
	Outcome   Outcome
	Code      toksta.Code
	Reason    toksta.Reason
	Err       error // an internal failure, for operators
	Status    int
	Bytes     int64
	Credits   int64
	Duration  time.Duration
}

// recordKey finds the record in a context.
type recordKey struct{}

// RecordFrom returns the request's record to add to; without one, a record
// that nobody writes.
func RecordFrom(ctx context.Context) *Record {
	if rec, ok := ctx.Value(recordKey{}).(*Record); ok {
		return rec
	}
	return &Record{}
}

// Fail notes the error that the request is answered with. The text of an
// internal one, and the cause of an outage, are kept for operators; a caller's
// own is said by code and reason, since its message may repeat what the caller
// sent.
func (rec *Record) Fail(err error) {
	rec.Code = toksta.ErrorCode(err)
	rec.Reason = reason(err)
	_, plain := err.(*toksta.Error)
	if rec.Code == toksta.CodeInternal || rec.Code == toksta.CodeUnavailable && !plain {
		rec.Err = err
	}
}

// outcome is settled last, from what the stations left. A station that knows
// better than the status has said so.
func (rec *Record) outcome() Outcome {
	switch {
	case rec.Outcome != "":
		return rec.Outcome
	case rec.Status >= 500:
		return Failed
	case rec.Status >= 400:
		return Refused
	default:
		return Answered
	}
}

// level keeps what an operator must see when calls themselves are not logged.
func (rec *Record) level() slog.Level {
	if rec.Err != nil {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// attrs are the record's fields; those without a value are left out. Their names
// are what operators search for: adding is free, renaming is not.
func (rec *Record) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 18)
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("request_id", rec.RequestID)
	text("trace_id", rec.TraceID)
	text("method", rec.Method)
	text("route", rec.Operation)
	text("family", string(rec.Family))
	text("account", string(rec.Principal.AccountID))
	text("key_id", string(rec.Principal.KeyID))
	text("address", rec.Address)
	text("outcome", string(rec.outcome()))
	text("code", string(rec.Code))
	text("reason", string(rec.Reason))
	if rec.Err != nil {
		text("error", rec.Err.Error())
	}
	attrs = append(attrs,
		slog.Int("status", rec.Status),
		slog.Float64("duration_ms", float64(rec.Duration.Microseconds())/1000),
		slog.Int64("bytes", rec.Bytes))
	if rec.Credits > 0 {
		attrs = append(attrs, slog.Int64("credits", rec.Credits))
	}
	return attrs
}
