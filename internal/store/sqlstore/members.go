package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Member implements [store.Members]. A disabled member is found as well.
func (r reader) Member(ctx context.Context, id toksta.MemberID) (toksta.Member, error) {
	return one(r.members(ctx, `WHERE id = $1`, id))
}

// MemberByEmail implements [store.Members]. The folded form has its own column, because
// the databases fold letters beyond ASCII differently.
func (r reader) MemberByEmail(ctx context.Context, email string) (toksta.Member, error) {
	forms := text.AddressForms(email)
	return one(r.members(ctx, `WHERE email_folded IN ($1, $2, $3)
		ORDER BY CASE email_folded WHEN $1 THEN 1 WHEN $2 THEN 2 ELSE 3 END LIMIT 1`, forms[0], forms[1], forms[2]))
}

// ListMembers implements [store.Members], the longest-standing first.
func (r reader) ListMembers(ctx context.Context, account toksta.AccountID) ([]toksta.Member, error) {
	return r.members(ctx, `WHERE account_id = $1 ORDER BY id`, account)
}

func (r reader) members(ctx context.Context, where string, args ...any) ([]toksta.Member, error) {
	const columns = `id, account_id, email, name, password_hash, created_at, disabled_at, consent, consent_at`
	rows, err := r.q.QueryContext(ctx, `SELECT `+columns+` FROM members `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (m toksta.Member, err error) {
		return m, rows.Scan(&m.ID, &m.AccountID, &m.Email, &m.Name, &m.PasswordHash,
			timeColumn{&m.CreatedAt}, timeColumn{&m.DisabledAt}, &m.Consent, timeColumn{&m.ConsentAt})
	})
}

// Invitation implements [store.Members]. It also finds used and expired invitations, so
// that the caller can report why one is no longer valid.
func (r reader) Invitation(ctx context.Context, code toksta.Digest) (i store.Invitation, err error) {
	const read = `SELECT code, account_id, email, expires_at, used_at FROM invitations WHERE code = $1`
	err = r.q.QueryRowContext(ctx, read, code[:]).Scan(
		digestColumn{&i.Code}, &i.AccountID, &i.Email, timeColumn{&i.ExpiresAt}, timeColumn{&i.UsedAt})
	return i, rowError(err, "an invitation")
}

// memberRows describes how members are written. An update leaves the folded address of an
// unchanged address as it is: for members of earlier versions it has another form, which
// MemberByEmail also looks up.
func memberRows() upsert[toksta.Member] {
	return upsert[toksta.Member]{
		table:    "members",
		conflict: []string{"id"},
		columns: []string{
			"id", "account_id", "email", "email_folded", "name", "password_hash", "created_at", "disabled_at", "consent", "consent_at",
		},
		set: `account_id = excluded.account_id, email = excluded.email, name = excluded.name, password_hash = excluded.password_hash,
			created_at = excluded.created_at, disabled_at = excluded.disabled_at,
			email_folded = CASE WHEN members.email = excluded.email THEN members.email_folded ELSE excluded.email_folded END`,
		args: func(m toksta.Member) ([]any, error) {
			return []any{
				m.ID, m.AccountID, m.Email, text.FoldAddress(m.Email), m.Name, m.PasswordHash,
				millis(m.CreatedAt), millis(m.DisabledAt), m.Consent, millis(m.ConsentAt),
			}, nil
		},
	}
}

// invitationRows describes how invitations are written: the code identifies the row.
func invitationRows() upsert[store.Invitation] {
	return upsert[store.Invitation]{
		table:    "invitations",
		conflict: []string{"code"},
		columns:  []string{"code", "account_id", "email", "expires_at", "used_at"},
		args: func(i store.Invitation) ([]any, error) {
			return []any{i.Code[:], i.AccountID, i.Email, millis(i.ExpiresAt), millis(i.UsedAt)}, nil
		},
	}
}
