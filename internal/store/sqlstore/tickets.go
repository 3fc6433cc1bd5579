package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

const ticketColumns = `id, purpose, member_id, account_id, data, expires_at`

func scanTicket(rows *sql.Rows) (t store.Ticket, err error) {
	return t, rows.Scan(digestColumn{&t.ID}, &t.Purpose, &t.MemberID, &t.AccountID, &t.Data, timeColumn{&t.ExpiresAt})
}

const insertTicket = `INSERT INTO tickets (` + ticketColumns + `) `

// ticketArgs returns the values of ticketColumns.
func ticketArgs(t store.Ticket) []any {
	return []any{t.ID[:], t.Purpose, t.MemberID, t.AccountID, t.Data, millis(t.ExpiresAt)}
}

// PutTicket implements [store.Tickets].
func (s *Store) PutTicket(ctx context.Context, t store.Ticket) error {
	insert := insertTicket + `VALUES ` + tuples(1, 6)
	if t.MemberID != "" {
		insert = insertTicket + `SELECT $1, $2, members.id, $4, $5, $6` + s.ofPerson("$3")
	}
	return s.useOnce(ctx, "store a ticket", insert, ticketArgs(t)...)
}

// KeepLatestTicket implements [store.Tickets].
func (s *Store) KeepLatestTicket(ctx context.Context, t store.Ticket) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		_, err := tx.ExecContext(ctx, insertTicket+`VALUES `+tuples(1, 6)+` ON CONFLICT (id) DO UPDATE SET purpose = excluded.purpose, member_id = excluded.member_id,
			account_id = excluded.account_id, data = excluded.data, expires_at = excluded.expires_at WHERE tickets.expires_at < excluded.expires_at`, ticketArgs(t)...)
		if err != nil {
			return fmt.Errorf("store the latest ticket: %w", err)
		}
		return nil
	})
}

// Ticket implements [store.Tickets].
func (s *Store) Ticket(ctx context.Context, id toksta.Digest) (store.Ticket, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT `+ticketColumns+` FROM tickets WHERE id = $1`, id[:])
	if err != nil {
		return store.Ticket{}, fmt.Errorf("read a ticket: %w", err)
	}
	return one(collect(rows, scanTicket))
}

// UseTicket implements [store.Tickets]. The database deletes the row once, however many
// transactions delete it at the same time.
func (s *Store) UseTicket(ctx context.Context, id toksta.Digest) (t store.Ticket, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM tickets WHERE id = $1 RETURNING `+ticketColumns, id[:])
		if err != nil {
			return fmt.Errorf("use a ticket: %w", err)
		}
		t, err = one(collect(rows, scanTicket))
		return err
	})
	return t, err
}

// DeleteTickets implements [store.Tickets]. An empty set deletes nothing.
func (s *Store) DeleteTickets(ctx context.Context, set store.TicketSet) error {
	where, args := `WHERE expires_at < $1`, []any{millis(set.Before)}
	switch {
	case set.Member != "" && set.Purpose != "":
		where, args = `WHERE member_id = $1 AND purpose = $2`, []any{set.Member, set.Purpose}
	case set.Member != "":
		where, args = `WHERE member_id = $1`, []any{set.Member}
	case set.Before.IsZero():
		return nil
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM tickets `+where, args...); err != nil {
			return fmt.Errorf("delete tickets: %w", err)
		}
		return nil
	})
}
