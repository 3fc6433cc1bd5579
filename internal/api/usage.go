package api

import (
	"context"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Usage reports the usage of an account in a month, "YYYY-MM", or in the current month
// for "". A month that is malformed, in the future or no longer kept is a
// VALIDATION_ERROR.
type Usage interface {
	Month(ctx context.Context, account toksta.AccountID, month string) (usage.Report, error)
}

// usage serves the report of the calling account. No cache may keep it. Calls of other
// nodes appear once those nodes have flushed them.
func (a *API) usage(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	report, err := a.report(x, r)
	if err != nil {
		x.Fail(err)
		httpauth.WriteError(w, &x.Meta, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if err := httpauth.WriteData(w, &x.Meta, http.StatusOK, report); err != nil {
		x.Fail(err)
	}
}

// report returns the report of the admitted key's account for the month of the query. It
// ignores other query parameters.
func (a *API) report(x *exchange.Exchange, r *http.Request) (usage.Report, error) {
	if !x.Admitted() {
		return usage.Report{}, toksta.Reject(toksta.ReasonKeyMissing).Err()
	}
	months := r.URL.Query()["month"]
	switch {
	case len(months) == 0:
		return a.config.Usage.Month(r.Context(), x.Principal.AccountID, "")
	case len(months) > 1 || months[0] == "":
		return usage.Report{}, toksta.Invalid("month", "Give one month as YYYY-MM.")
	default:
		return a.config.Usage.Month(r.Context(), x.Principal.AccountID, months[0])
	}
}
