package web

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// shortageOf returns the shortage of an account, nil if it can pay a call.
func (p *Pages) shortageOf(ctx context.Context, s *toksta.Standing) *usage.Shortage {
	lack, err := p.Usage.Shortage(ctx, s)
	if err != nil {
		withoutUsage(ctx, err)
	}
	return lack
}

// shortageWords returns the cause of the shortage.
func shortageWords(l *usage.Shortage) string {
	switch {
	case l.Capped:
		return "The overage cap is reached"
	case l.Left > 0:
		return "Only " + view.Count(l.Left, "credit") + " left"
	}
	return "No credits are left"
}

// shortageBanner describes the shortage, its effect on calls and its end. It has no action.
func shortageBanner(l *usage.Shortage) view.Banner {
	title := shortageWords(l)
	if !l.Since.IsZero() {
		title += ", since " + view.DateTime(l.Since)
	}
	until := "until you have more"
	if l.Grant > 0 {
		until = fmt.Sprintf("until you have more, or the plan grants %s on %s", view.Count(l.Grant, "new credit"), view.Date(l.Resets))
	}
	return view.Banner{Tone: view.ToneBad, Title: title + ".", Text: "Calls that cost credits get `402 INSUFFICIENT_CREDITS` " + until + "."}
}

// rejectedBadge returns the badge of a key whose calls are rejected, with the status of
// their responses.
func rejectedBadge(r *usage.Rejection, now time.Time) view.Badge {
	status := httpauth.Status(r.Reason.Code())
	text := fmt.Sprintf("Blocked: %d", status)
	if !r.Since.IsZero() {
		text = fmt.Sprintf("%d since %s", status, sinceText(r.Since, now))
	}
	return view.Badge{Tone: view.ToneBad, Text: text}
}

// sinceText formats a time of today as hour and minute, any other one as a day.
func sinceText(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("2 Jan")
	}
	return view.ShortDate(at)
}
