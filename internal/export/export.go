// Package export hands over what was used to whatever bills for it: CloudEvents
// in batches, by HTTP.
//
// It stands behind the meter, on the reading side. What an hour came to is
// staged in the store once the hour is over, sent until the receiver has taken
// it, and then forgotten; what the hour grows by later is sent as well. Every
// event can come more than once, with the same id and the same content, and
// none is left out: added up by id, they are what the usage reports say. It
// never sends an hour that is still counted, and never a name, an address or a
// secret.
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
)

// Store is what is exported, and who exports it.
type Store interface {
	store.Exports
	store.ExportState
	store.Claims
}

// Config says what goes where. All fields but Authorization and From are
// required.
type Config struct {
	Store         Store
	URL           string        // of the receiver: POST
	Authorization string        // value of that header; "": none is sent
	Type, Source  string        // of each event
	Interval      time.Duration // between two looks for something to send
	Settle        time.Duration // after the end of an hour: for nodes to flush it
	Batch         int           // events of one request
	From          time.Time     // hours before it are never sent
	Log           *slog.Logger
}

// Exporter sends. One node at a time does it for all.
type Exporter struct {
	Config
	client *http.Client
	holder string
}

// New returns an exporter that sends nothing yet.
func New(c Config) *Exporter {
	return &Exporter{Config: c, client: client(), holder: rand.Text()}
}

// Run sends what there is in every interval until ctx ends, and after a failure
// sooner at first, then ever later.
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
			e.Log.Error("cannot export usage; nothing is lost, it is tried again", "error", err)
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

// The pauses after failures: doubled from the first to the last.
const (
	firstPause = 5 * time.Second
	lastPause  = 10 * time.Minute
)

// backoff is how long to wait after so many failures in a row, at least one.
func backoff(failures int) time.Duration {
	return min(firstPause<<min(failures-1, 10), lastPause)
}

// sleep reports whether ctx goes on after d.
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

// hold is how long a node that went silent keeps the others from exporting: more
// than one request can take. Two that export at once send the same events.
const hold = 2 * requestTimeout

// Export sends all hours that are over, unless another node is at it. A failure
// is noted where the operator looks for it.
func (e *Exporter) Export(ctx context.Context) error {
	if err := e.Store.SetExport(ctx, &e.From); err != nil {
		return err
	}
	for {
		at, err := e.Store.Claim(ctx, store.Claim{Name: "export", Holder: e.holder, For: hold})
		if err != nil || at.IsZero() {
			return err
		}
		switch more, err := e.step(ctx, Closed(at, e.Settle)); {
		case err != nil:
			return err
		case !more:
			return nil
		}
	}
}

// Status says how far the export is.
func (e *Exporter) Status(ctx context.Context) (store.ExportStatus, error) {
	return e.Store.ExportStatus(ctx, Closed(time.Now(), e.Settle))
}

// Closed is the end of the last hour that is over by at and has settled.
func Closed(at time.Time, settle time.Duration) time.Time {
	return at.Add(-settle).Truncate(time.Hour)
}

// step sends one batch, or stages the next one if none waits.
func (e *Exporter) step(ctx context.Context, before time.Time) (more bool, err error) {
	events, err := e.Store.StagedUsage(ctx, e.Batch)
	if err != nil {
		return false, err
	}
	if len(events) == 0 {
		rows, err := e.Store.StageUsage(ctx, before, e.Batch)
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
		return false, fmt.Errorf("note what was delivered: %w", err)
	}
	return true, nil
}
