package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// errUnchanged makes inTx roll back a change that has nothing to write.
var errUnchanged = errors.New("nothing to change")

// Commit implements [store.Mutator]. It increments the number in the clock row and
// thereby locks the row. The update is sent together with the first read of decide,
// before it, so decide reads under the lock. Numbers have the order of commits, and no
// gaps, because a rollback also undoes the increment.
func (s *Store) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	change := toksta.Change{Actor: by}
	err := s.inTx(ctx, func(tx *dbconn.Tx) error {
		var notified string
		err := tx.QueueRow(ctx, []any{&change.Seq, timeColumn{&change.At}, &notified},
			`UPDATE clock SET seq = seq + 1 RETURNING seq, `+s.now+`, `+s.notify)
		if err != nil {
			return fmt.Errorf("take the next change number: %w", err)
		}
		m, err := decide(ctx, s.lockingReader(tx))
		if err != nil {
			return err
		}
		if m.Kind == "" {
			return errUnchanged
		}
		if err := tx.Flush(ctx); err != nil {
			return fmt.Errorf("take the next change number: %w", err)
		}
		change.Kind, change.Detail = m.Kind, m.Detail
		change.AccountID, change.KeyID, change.MemberID, change.OperatorKeyID = m.AccountID, m.KeyID, m.MemberID, m.OperatorKeyID
		return s.write(ctx, tx, &change, &m)
	})
	switch {
	case errors.Is(err, errUnchanged):
		return toksta.Change{}, nil
	case err != nil:
		if errors.Is(err, store.ErrUncertain) {
			s.committed(0)
		}
		return toksta.Change{}, err
	default:
		s.committed(change.Seq)
		return change, nil
	}
}

// write writes m as change, in the order that foreign keys require, and stamps the
// rows with the change's number.
func (s *Store) write(ctx context.Context, tx *dbconn.Tx, change *toksta.Change, m *store.Mutation) error {
	if err := insertChange(ctx, tx, change, m.Token); err != nil {
		return err
	}
	if err := accountRows(change.Seq).queue(ctx, tx, m.Accounts); err != nil {
		return err
	}
	if err := memberRows().queue(ctx, tx, m.Members); err != nil {
		return err
	}
	if err := membershipRows().queue(ctx, tx, m.Memberships); err != nil {
		return err
	}
	if err := invitationRows().queue(ctx, tx, m.Invitations); err != nil {
		return err
	}
	if err := writeIdentities(ctx, tx, m); err != nil {
		return err
	}
	if err := writeFactors(ctx, tx, m); err != nil {
		return err
	}
	if _, err := s.writeEntries(ctx, tx, m.Credits); err != nil {
		return err
	}
	if err := s.writeOperatorKeys(ctx, tx, change.Seq, m.OperatorKeys); err != nil {
		return err
	}
	return s.writeKeys(ctx, tx, change.Seq, m.Keys)
}

// insertChange writes the row of the change log. It stores an empty idempotency token as
// NULL, which the unique index allows in any number of rows.
func insertChange(ctx context.Context, tx *dbconn.Tx, c *toksta.Change, token string) error {
	detail, err := jsonText(c.Detail)
	if err != nil {
		return fmt.Errorf("encode change detail: %w", err)
	}
	const insert = `INSERT INTO changes (` + changeColumns + `, token)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	err = tx.Queue(ctx, insert, c.Seq, millis(c.At), c.Kind,
		c.Actor.Kind, c.Actor.ID, c.Actor.Name, c.Actor.Address, c.Actor.Agent,
		c.AccountID, c.KeyID, c.MemberID, detail, c.OperatorKeyID, nullText(token))
	if err != nil {
		return fmt.Errorf("write change: %w", err)
	}
	return nil
}
