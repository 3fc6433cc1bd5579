package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

const identityColumns = `provider, subject, member_id, email, granted, created_at`

// Identity implements [store.Identities].
func (r reader) Identity(ctx context.Context, provider, subject string) (store.Identity, error) {
	return one(r.identities(ctx, `WHERE provider = $1 AND subject = $2`, provider, subject))
}

// ListIdentities implements [store.Identities].
func (r reader) ListIdentities(ctx context.Context, member toksta.MemberID) ([]store.Identity, error) {
	return r.identities(ctx, `WHERE member_id = $1 ORDER BY created_at, provider, subject`, member)
}

func (r reader) identities(ctx context.Context, where string, args ...any) ([]store.Identity, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+identityColumns+` FROM identities `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	return collect(rows, scanIdentity)
}

func scanIdentity(rows *sql.Rows) (i store.Identity, err error) {
	var granted string
	if err := rows.Scan(&i.Provider, &i.Subject, &i.MemberID, &i.Email, &granted, timeColumn{&i.CreatedAt}); err != nil {
		return i, err
	}
	if err := json.Unmarshal([]byte(granted), &i.Granted); err != nil {
		return i, fmt.Errorf("decode the granted accounts of an identity: %w", err)
	}
	return i, nil
}

// writeIdentities queues the statements that link and unlink identities.
func writeIdentities(ctx context.Context, tx *dbconn.Tx, m *store.Mutation) error {
	for _, i := range m.Unlinked {
		if err := tx.Queue(ctx, `DELETE FROM identities WHERE provider = $1 AND subject = $2`, i.Provider, i.Subject); err != nil {
			return fmt.Errorf("delete an identity: %w", err)
		}
	}
	return identityRows().queue(ctx, tx, m.Identities)
}

// identityRows describes how identities are written.
func identityRows() upsert[store.Identity] {
	return upsert[store.Identity]{
		table:    "identities",
		conflict: []string{"provider", "subject"},
		columns:  []string{"provider", "subject", "member_id", "email", "granted", "created_at"},
		args: func(i store.Identity) ([]any, error) {
			granted, err := json.Marshal(append([]toksta.AccountID{}, i.Granted...))
			return []any{i.Provider, i.Subject, i.MemberID, i.Email, string(granted), millis(i.CreatedAt)}, err
		},
	}
}
