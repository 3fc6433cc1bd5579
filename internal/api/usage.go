package api

import (
	"context"
	"net/http"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/telemetry"
)

// Usage reports what an account used in the month that starts at month, UTC.
// Its answer is the data of the envelope.
type Usage func(ctx context.Context, account toksta.AccountID, month time.Time) (any, error)

const monthLayout = "2006-01"

// usage answers with the month's report of the account that calls.
func (a *API) usage(w http.ResponseWriter, r *http.Request) {
	report, err := a.report(r)
	if err != nil {
		telemetry.RecordFrom(r.Context()).Fail(err)
		httpauth.WriteError(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	httpauth.WriteData(w, r, http.StatusOK, report)
}

func (a *API) report(r *http.Request) (any, error) {
	month, err := month(r.URL.Query()["month"], a.config.Now())
	if err != nil {
		return nil, err
	}
	who, ok := httpauth.FromContext(r.Context())
	if !ok {
		return nil, &toksta.Error{Code: toksta.CodeInternal, Message: "Internal error."}
	}
	return a.config.Usage(r.Context(), who.AccountID, month)
}

// month reads the parameter's values: none means the current month, a future
// one does not exist yet.
func month(values []string, now time.Time) (time.Time, error) {
	now = now.UTC()
	if len(values) == 0 {
		return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	}
	m, err := time.Parse(monthLayout, values[0])
	switch {
	case len(values) > 1:
		return m, toksta.Invalid("month", "Give month once.")
	case err != nil || len(values[0]) != len(monthLayout):
		return m, toksta.Invalid("month", "Give month as YYYY-MM.")
	case m.After(now):
		return m, toksta.Invalid("month", "The month has not begun.")
	}
	return m, nil
}
