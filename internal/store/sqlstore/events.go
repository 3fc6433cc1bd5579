package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// RaiseEvent implements [store.Outbox]. If two nodes raise the same occurrence at once,
// the second one waits for the first one and writes nothing.
func (s *Store) RaiseEvent(ctx context.Context, e store.Event, channels []string) (raised bool, err error) {
	const insert = `INSERT INTO events (id, kind, account_id, at, data, token)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (token) DO NOTHING`
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		result, err := tx.ExecContext(ctx, insert, e.ID, e.Kind, e.AccountID, millis(e.At), string(e.Data), e.Token)
		if err != nil {
			return fmt.Errorf("write event: %w", err)
		}
		rows, err := result.RowsAffected()
		if raised = rows == 1; err != nil || !raised {
			return err
		}
		return deliveryRows().queue(ctx, tx, newDeliveries(e.ID, channels, e.At))
	})
	return raised && err == nil, err
}

// newDeliveries returns a delivery of an event for each channel, due at the given time.
func newDeliveries(event string, channels []string, due time.Time) []store.Delivery {
	rows := make([]store.Delivery, len(channels))
	for i, c := range channels {
		rows[i] = store.Delivery{EventID: event, Channel: c, State: store.DeliveryPending, NextAt: due}
	}
	return rows
}

// deliveryRows describes how deliveries are written. A replayed delivery is replaced.
func deliveryRows() upsert[store.Delivery] {
	return upsert[store.Delivery]{
		table: "deliveries", conflict: []string{"event_id", "channel"},
		columns: []string{"event_id", "channel", "state", "attempts", "next_at", "tried_at", "outcome"},
		args: func(d store.Delivery) ([]any, error) {
			return []any{d.EventID, d.Channel, d.State, d.Attempts, millis(d.NextAt), millis(d.TriedAt), d.Outcome}, nil
		},
	}
}

// claimDue has its condition twice: a claim that waited for the lock of a row evaluates
// the outer condition again, and skips the row if it was claimed.
const claimDue = `UPDATE deliveries SET attempts = attempts + 1, next_at = $1, tried_at = $2
	WHERE channel = $3 AND state = 'pending' AND next_at <= $2 AND event_id IN (
		SELECT event_id FROM deliveries WHERE channel = $3 AND state = 'pending' AND next_at <= $2
		ORDER BY next_at, event_id LIMIT $4)
	RETURNING ` + deliveryColumns

// ClaimDeliveries implements [store.Outbox].
func (s *Store) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) (claimed []store.Claimed, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		rows, err := tx.QueryContext(ctx, claimDue, millis(c.Until), millis(c.Now), c.Channel, c.Limit)
		if err != nil {
			return fmt.Errorf("claim deliveries: %w", err)
		}
		taken, err := collect(rows, scanDelivery)
		if err != nil || len(taken) == 0 {
			return err
		}
		byEvent := make(map[string]store.Delivery, len(taken))
		for _, d := range taken {
			byEvent[d.EventID] = d
		}
		events, err := listEvents(ctx, tx, ` WHERE id IN `+tuples(1, len(taken))+` ORDER BY id`, eventIDs(taken)...)
		claimed = nil
		for _, e := range events {
			claimed = append(claimed, store.Claimed{Event: e, Delivery: byEvent[e.ID]})
		}
		return err
	})
	return claimed, err
}

// FinishDelivery implements [store.Outbox]. The number of attempts and the end of the
// claim identify the claim.
func (s *Store) FinishDelivery(ctx context.Context, claimed, result store.Delivery) error {
	const finish = `UPDATE deliveries SET state = $1, next_at = $2, outcome = $3
		WHERE event_id = $4 AND channel = $5 AND state = 'pending' AND attempts = $6 AND next_at = $7`
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		_, err := tx.ExecContext(ctx, finish, result.State, millis(result.NextAt), result.Outcome,
			claimed.EventID, claimed.Channel, claimed.Attempts, millis(claimed.NextAt))
		if err != nil {
			return fmt.Errorf("record the result of a delivery: %w", err)
		}
		return nil
	})
}

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	var c conditions
	if q.ID != "" {
		c.and("id =", q.ID)
	}
	if q.Account != "" {
		c.and("account_id =", q.Account)
	}
	if q.Before != "" {
		c.and("id <", q.Before)
	}
	if q.State != "" {
		c.and("id IN (SELECT event_id FROM deliveries WHERE state =", q.State)
		if q.Channel != "" {
			c.text.WriteString(" AND channel = " + c.bind(q.Channel))
		}
		c.text.WriteString(")")
	}
	c.text.WriteString(" ORDER BY id DESC LIMIT " + c.bind(limit(q.Limit)))
	events, err := listEvents(ctx, s.reads, c.text.String(), c.args...)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return events, s.addDeliveries(ctx, events)
}

// addDeliveries reads the deliveries of all the events at once.
func (s *Store) addDeliveries(ctx context.Context, events []store.Event) error {
	at := make(map[string]*store.Event, len(events))
	ids := make([]any, len(events))
	for i := range events {
		at[events[i].ID], ids[i] = &events[i], events[i].ID
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries
		WHERE event_id IN `+tuples(1, len(ids))+` ORDER BY channel`, ids...)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	deliveries, err := collect(rows, scanDelivery)
	for _, d := range deliveries {
		e := at[d.EventID]
		e.Deliveries = append(e.Deliveries, d)
	}
	return err
}

// ReplayEvents implements [store.Events].
func (s *Store) ReplayEvents(ctx context.Context, r store.Replay) (n int, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		n = 0
		if r.Event != "" {
			n = len(r.Channels)
			return replayOne(ctx, tx, r)
		}
		for _, channel := range r.Channels {
			result, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'pending', attempts = 0, next_at = $1
				WHERE channel = $2 AND state = 'dead'`, millis(r.Now), channel)
			if err != nil {
				return fmt.Errorf("replay deliveries: %w", err)
			}
			rows, err := result.RowsAffected()
			if err != nil {
				return fmt.Errorf("replay deliveries: %w", err)
			}
			n += int(rows)
		}
		return nil
	})
	return n, err
}

// replayOne makes the deliveries of one event due, and creates the missing ones.
func replayOne(ctx context.Context, tx *dbconn.Tx, r store.Replay) error {
	if _, err := one(listEvents(ctx, tx, ` WHERE id = $1`, r.Event)); err != nil {
		return err
	}
	return deliveryRows().queue(ctx, tx, newDeliveries(r.Event, r.Channels, r.Now))
}

// PruneEvents implements [store.Events].
func (s *Store) PruneEvents(ctx context.Context, before time.Time) error {
	ctx = dbconn.WithLongTimeout(ctx)
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		for _, statement := range []string{
			`DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE at < $1)`,
			`DELETE FROM events WHERE at < $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, millis(before)); err != nil {
				return fmt.Errorf("prune events: %w", err)
			}
		}
		return nil
	})
}

// deliveryColumns lists the columns in the order of scanDelivery.
const deliveryColumns = `event_id, channel, state, attempts, next_at, tried_at, outcome`

func scanDelivery(rows *sql.Rows) (d store.Delivery, err error) {
	return d, rows.Scan(&d.EventID, &d.Channel, &d.State, &d.Attempts, timeColumn{&d.NextAt}, timeColumn{&d.TriedAt}, &d.Outcome)
}

func eventIDs(deliveries []store.Delivery) []any {
	ids := make([]any, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.EventID
	}
	return ids
}

// listEvents reads the events that match a WHERE clause, without their tokens.
func listEvents(ctx context.Context, q querier, where string, args ...any) ([]store.Event, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, kind, account_id, at, data FROM events`+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (e store.Event, err error) {
		var data string
		err = rows.Scan(&e.ID, &e.Kind, &e.AccountID, timeColumn{&e.At}, &data)
		e.Data = []byte(data)
		return e, err
	})
}
