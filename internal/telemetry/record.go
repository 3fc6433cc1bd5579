package telemetry

import (
	"log/slog"

	"github.com/toksta/toksta/internal/exchange"
)

// level returns the level of x's record: an error for an internal failure, so
// that it is logged even when requests themselves are not. A client that
// disconnects is no failure of this system.
func level(x *exchange.Exchange) slog.Level {
	if x.Err != nil && x.Outcome != exchange.ClientGone {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// attrs returns the fields of x's record; empty ones are left out. Operators
// search for these names: adding one is safe, renaming is not.
func attrs(x *exchange.Exchange) []slog.Attr {
	attrs := make([]slog.Attr, 0, 18)
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("request_id", x.RequestID)
	text("trace_id", x.TraceID)
	text("method", x.Method)
	text("route", x.Operation)
	text("family", string(x.Family))
	text("account", string(x.Principal.AccountID))
	text("key_id", string(x.Principal.KeyID))
	text("member", string(x.Member))
	if x.Address.IsValid() {
		text("address", x.Address.String())
	}
	text("outcome", string(x.Result()))
	text("code", string(x.Code))
	text("reason", string(x.Reason))
	if x.Err != nil {
		text("error", x.Err.Error())
	}
	attrs = append(attrs,
		slog.Int("status", x.Status),
		slog.Float64("duration_ms", float64(x.Duration.Microseconds())/1000),
		slog.Int64("bytes", x.Bytes))
	if x.Cost > 0 {
		attrs = append(attrs, slog.Int64("credits", x.Cost))
	}
	return attrs
}
