// Package export sends usage to a billing system: batches of CloudEvents over HTTP.
//
// It is not on the request path. The usage of an hour is staged in the store once the hour is over,
// sent until the receiver has accepted it, and then deleted from the stage. If the hour grows
// later, the growth is sent as another event. An event can arrive more than once, with the same id
// and the same content. Added up by id, the events equal the usage reports. The package never sends
// an hour that is still counted, and never a name, an address or a secret.
package export

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Store has the usage, the staged events and the claim of the exporting node.
type Store interface {
	store.Exports
	store.ExportState
	store.Claims
}

// Config configures an Exporter. All fields except Authorization and From are required.
type Config struct {
	Store         Store
	URL           string          // of the receiver
	Authorization string          // value of the header field; "": the field is not sent
	Type, Source  string          // of each event
	Currency      toksta.Currency // of amounts
	Interval      time.Duration   // between polls
	Settle        time.Duration   // delay after the end of an hour, in which nodes flush it
	Batch         int             // maximum number of events in a request
	From          time.Time       // earlier hours are never sent
	Log           *slog.Logger
}

// Exporter exports usage. One node at a time does it for all.
type Exporter struct {
	Config
	client *http.Client
	holder string
}

// New returns an exporter. It sends nothing until Run or Export is called.
func New(c Config) *Exporter {
	return &Exporter{Config: c, client: newClient(), holder: rand.Text()}
}

// Run exports usage in every interval until ctx ends. After failures it waits for increasing times
// instead.
func (e *Exporter) Run(ctx context.Context) error {
	failures := 0
	for wait := e.Interval; sleep(ctx, wait); {
		err := e.Export(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && failures > 0:
			e.Log.Info("usage is exported again")
		case err != nil && failures == 0:
			e.Log.Error("cannot export usage; it stays in the database and is tried again", "error", err)
		}
		if err == nil {
			failures, wait = 0, e.Interval
			continue
		}
		failures++
		wait = backoff(failures)
	}
	return nil
}

// The limits of the delay after failures.
const (
	minBackoff = 5 * time.Second
	maxBackoff = 10 * time.Minute
)

// backoff returns the delay after the given number of consecutive failures, at least one.
func backoff(failures int) time.Duration {
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}

// sleep waits for d and reports whether ctx is still active.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// claimDuration is the time for which a claim lasts, longer than any request. If its node dies,
// another node exports after that time. Two nodes that export at once send the same events.
const claimDuration = 2 * requestTimeout

// Export sends all settled hours, unless another node is exporting. It stores the error of a failed
// request, which Status returns.
func (e *Exporter) Export(ctx context.Context) error {
	if err := e.Store.SetExport(ctx, &e.From); err != nil {
		return err
	}
	for {
		at, err := e.Store.Claim(ctx, store.Claim{Name: "export", Holder: e.holder, For: claimDuration})
		if err != nil || at.IsZero() {
			return err
		}
		switch more, err := e.sendBatch(ctx, Cutoff(at, e.Settle)); {
		case err != nil:
			return err
		case !more:
			return nil
		}
	}
}

// Status returns the progress of the export.
func (e *Exporter) Status(ctx context.Context) (store.ExportStatus, error) {
	return e.Store.ExportStatus(ctx, Cutoff(time.Now(), e.Settle))
}

// Cutoff returns the end of the last hour that had been over for at least settle at the given time.
func Cutoff(at time.Time, settle time.Duration) time.Time {
	return at.Add(-settle).Truncate(time.Hour)
}

// sendBatch sends one batch of staged events. If there is none, it stages the next batch of the
// hours before cutoff. It reports whether there can be more.
func (e *Exporter) sendBatch(ctx context.Context, cutoff time.Time) (more bool, err error) {
	events, err := e.Store.StagedUsage(ctx, e.Batch)
	if err != nil {
		return false, err
	}
	if len(events) == 0 {
		rows, err := e.Store.StageUsage(ctx, cutoff, e.Batch)
		return rows > 0, err
	}
	if err := e.post(ctx, events); err != nil {
		return false, errors.Join(err, e.Store.FailExport(ctx, text.Keepable(err.Error())))
	}
	ids := make([]string, len(events))
	for i, event := range events {
		ids[i] = event.ID
	}
	if err := e.Store.DeliveredUsage(ctx, ids); err != nil {
		return false, fmt.Errorf("delete the delivered events: %w", err)
	}
	return true, nil
}
