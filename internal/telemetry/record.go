package telemetry

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/toksta/toksta/internal/exchange"
)

// isFailure reports whether x is an internal failure, which is logged even when
// requests themselves are not. A client that disconnects is no failure of this
// system.
func isFailure(x *exchange.Exchange) bool {
	return x.Err != nil && x.Outcome != exchange.ClientGone
}

// isRejected reports whether this system, and not the upstream, rejected x.
func isRejected(x *exchange.Exchange) bool {
	return x.Code != "" && x.Result() == exchange.Rejected
}

// encoder writes records as text if its field text is set, otherwise as JSON,
// without allocating memory.
type encoder struct {
	json zerolog.Logger
	text slog.Handler
}

// encode writes the record of a request that ended at now.
func (e *encoder) encode(now time.Time, level slog.Level, x *exchange.Exchange) {
	const message = "request"
	if e.text != nil {
		r := slog.NewRecord(now, level, message, 0)
		appendFields(fields{text: &r}, x)
		_ = e.text.Handle(context.Background(), r)
		return
	}
	var stamp [len(time.RFC3339Nano)]byte
	event := e.json.Log().
		Bytes(slog.TimeKey, now.UTC().AppendFormat(stamp[:0], time.RFC3339Nano)).
		Str(slog.LevelKey, level.String()).
		Str(slog.MessageKey, message)
	appendFields(fields{json: event}, x)
	event.Send()
}

// appendFields adds the fields of x's record. Operators search for these names:
// adding one is safe, renaming is not.
func appendFields(f fields, x *exchange.Exchange) {
	f.str("request_id", x.RequestID)
	f.str("trace_id", x.TraceID)
	f.str("method", x.Method)
	f.str("path", x.Path)
	f.str("route", x.Operation)
	f.str("verified", x.Verified)
	f.str("family", string(x.Family))
	if x.Public {
		f.str("access", "public")
	}
	f.str("account", string(x.Principal.AccountID))
	f.str("key_id", string(x.Principal.KeyID))
	f.str("member", string(x.Member))
	f.str("operator_key", string(x.Operator))
	f.hex("key_fingerprint", x.Fingerprint)
	f.addr("address", x.Address)
	f.str("outcome", string(x.Result()))
	f.str("code", string(x.Code))
	f.str("reason", string(x.Reason))
	if x.Err != nil {
		f.str("error", x.Err.Error())
	}
	f.int("status", int64(x.Status))
	f.float("duration_ms", float64(x.Duration.Microseconds())/1000)
	f.int("bytes", x.Bytes)
	if x.Cost > 0 {
		f.int("credits", x.Cost)
	}
}

// fields adds fields to a record of JSON, or of text if json is nil. Empty strings
// and invalid addresses are left out.
type fields struct {
	json *zerolog.Event
	text *slog.Record
}

func (f fields) str(name, value string) {
	switch {
	case value == "":
	case f.json != nil:
		f.json.Str(name, value)
	default:
		f.text.AddAttrs(slog.String(name, value))
	}
}

// hex leaves out the zero value.
func (f fields) hex(name string, value [8]byte) {
	switch {
	case value == [8]byte{}:
	case f.json != nil:
		f.json.Hex(name, value[:])
	default:
		f.str(name, hex.EncodeToString(value[:]))
	}
}

func (f fields) addr(name string, value netip.Addr) {
	switch {
	case !value.IsValid():
	case f.json != nil:
		var text [64]byte
		f.json.Bytes(name, value.AppendTo(text[:0]))
	default:
		f.str(name, value.String())
	}
}

func (f fields) int(name string, value int64) {
	if f.json != nil {
		f.json.Int64(name, value)
		return
	}
	f.text.AddAttrs(slog.Int64(name, value))
}

func (f fields) float(name string, value float64) {
	if f.json != nil {
		f.json.Float64(name, value)
		return
	}
	f.text.AddAttrs(slog.Float64(name, value))
}
