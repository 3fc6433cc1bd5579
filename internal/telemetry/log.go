package telemetry

import (
	"errors"
	"io"
	"log/slog"

	"github.com/toksta/toksta"
)

// NewLog returns the process's log: one JSON object a line, UTC times.
func NewLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: utc}))
}

// utc makes records of machines in different zones comparable by eye.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// reason is the cause that the error carries, "" without one.
func reason(err error) toksta.Reason {
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		return e.Reason
	}
	return ""
}
