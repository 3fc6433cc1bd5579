package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// memberColumns is the list of columns that scanMember reads.
const memberColumns = `m.id, m.email, m.name, m.password_hash, m.created_at, m.verified_at, m.expires_at, m.disabled_at, m.consent, m.consent_at`

// scanMember reads memberColumns, and into more the columns after them.
func scanMember(rows *sql.Rows, m *toksta.Member, more ...any) error {
	return rows.Scan(append([]any{
		&m.ID, &m.Email, &m.Name, &m.PasswordHash,
		timeColumn{&m.CreatedAt},
		timeColumn{&m.VerifiedAt},
		timeColumn{&m.ExpiresAt},
		timeColumn{&m.DisabledAt},
		&m.Consent,
		timeColumn{&m.ConsentAt},
	}, more...)...)
}

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

// ListExpiredSignUps implements [store.SignUps]. A member whose sign-up has ended has no address.
func (r reader) ListExpiredSignUps(ctx context.Context, before time.Time, limit int) ([]toksta.Member, error) {
	return r.members(ctx, `WHERE expires_at > 0 AND expires_at < $1 AND verified_at = 0 AND email <> '' ORDER BY id LIMIT $2`, millis(before), limit)
}

func (r reader) members(ctx context.Context, where string, args ...any) ([]toksta.Member, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+memberColumns+` FROM members m `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (m toksta.Member, err error) { return m, scanMember(rows, &m) })
}

// ofPerson returns the FROM clause of an INSERT … SELECT members.id … of a row about the member whose id is
// the parameter param, such as $2. If the person was erased, no row is inserted. Otherwise, PostgreSQL locks the row of the
// member until the commit: an erasure that begins meanwhile waits, and then deletes the new row.
func (s *Store) ofPerson(param string) string {
	return ` FROM members WHERE id = ` + param + ` AND email <> ''` + s.share
}

// memberRows describes how members are written. An update leaves the folded address of an
// unchanged address as it is: for members of earlier versions it has another form, which
// MemberByEmail also looks up. A member without an address keeps the id in its place, since
// the column is unique.
func memberRows() upsert[toksta.Member] {
	return upsert[toksta.Member]{
		table:    "members",
		conflict: []string{"id"},
		columns: []string{
			"id", "email", "email_folded", "name", "password_hash", "created_at", "verified_at", "expires_at", "disabled_at", "consent", "consent_at",
		},
		set: `email = excluded.email, name = excluded.name, password_hash = excluded.password_hash,
			created_at = excluded.created_at, verified_at = excluded.verified_at, expires_at = excluded.expires_at, disabled_at = excluded.disabled_at,
			consent = excluded.consent, consent_at = excluded.consent_at,
			email_folded = CASE WHEN members.email = excluded.email THEN members.email_folded ELSE excluded.email_folded END`,
		args: func(m toksta.Member) ([]any, error) {
			folded := text.FoldAddress(m.Email)
			if m.Email == "" {
				folded = string(m.ID)
			}
			return []any{
				m.ID, m.Email, folded, m.Name, m.PasswordHash, millis(m.CreatedAt), millis(m.VerifiedAt), millis(m.ExpiresAt),
				millis(m.DisabledAt), m.Consent, millis(m.ConsentAt),
			}, nil
		},
	}
}
