package telemetry

import (
	"io"
	"log/slog"
)

// NewLog returns the process's log: one JSON object in each line, times in UTC.
func NewLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: utc}))
}

// utc converts the time of a record to UTC, so that records of machines in
// different zones can be compared.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
