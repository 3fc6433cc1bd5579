package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// membershipColumns lists the columns in the order of membershipTargets.
const membershipColumns = `s.account_id, s.member_id, s.role, s.created_at, s.disabled_at, s.removed_at`

func membershipTargets(m *toksta.Membership) []any {
	return []any{&m.AccountID, &m.MemberID, &m.Role, timeColumn{&m.CreatedAt}, timeColumn{&m.DisabledAt}, timeColumn{&m.RemovedAt}}
}

// Role implements [store.Memberships].
func (r reader) Role(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (role toksta.MemberRole, err error) {
	const read = `SELECT s.role FROM memberships s JOIN members m ON m.id = s.member_id
		WHERE s.account_id = $1 AND s.member_id = $2 AND s.removed_at = 0 AND s.disabled_at = 0 AND m.disabled_at = 0`
	err = r.q.QueryRowContext(ctx, read, account, member).Scan(&role)
	return role, rowError(err, "the role of a member")
}

// Membership implements [store.Memberships].
func (r reader) Membership(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (toksta.Membership, error) {
	return one(r.memberships(ctx, `WHERE s.account_id = $1 AND s.member_id = $2`, account, member))
}

// ListMemberships implements [store.Memberships].
func (r reader) ListMemberships(ctx context.Context, member toksta.MemberID) ([]toksta.Membership, error) {
	return r.memberships(ctx, `WHERE s.member_id = $1 AND s.removed_at = 0 ORDER BY s.created_at, s.account_id`, member)
}

func (r reader) memberships(ctx context.Context, where string, args ...any) ([]toksta.Membership, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+membershipColumns+` FROM memberships s `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (m toksta.Membership, err error) { return m, rows.Scan(membershipTargets(&m)...) })
}

// ListAccountMembers implements [store.Memberships].
func (r reader) ListAccountMembers(ctx context.Context, account toksta.AccountID) ([]store.AccountMember, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+memberColumns+`, `+membershipColumns+` FROM memberships s JOIN members m ON m.id = s.member_id
		WHERE s.account_id = $1 AND s.removed_at = 0 ORDER BY s.created_at, m.id`, account)
	if err != nil {
		return nil, fmt.Errorf("read the members of an account: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (m store.AccountMember, err error) {
		return m, scanMember(rows, &m.Member, membershipTargets(&m.Membership)...)
	})
}

// ListSoleMembers implements [store.Memberships].
func (r reader) ListSoleMembers(ctx context.Context, account toksta.AccountID) ([]toksta.Member, error) {
	return r.members(ctx, `WHERE id IN (SELECT member_id FROM memberships WHERE account_id = $1)
		AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.member_id = m.id AND o.account_id <> $1 AND o.removed_at = 0) ORDER BY id`, account)
}

// membershipRows describes how memberships are written.
func membershipRows() upsert[toksta.Membership] {
	return upsert[toksta.Membership]{
		table:    "memberships",
		conflict: []string{"account_id", "member_id"},
		columns:  []string{"account_id", "member_id", "role", "created_at", "disabled_at", "removed_at"},
		args: func(m toksta.Membership) ([]any, error) {
			return []any{m.AccountID, m.MemberID, m.Role, millis(m.CreatedAt), millis(m.DisabledAt), millis(m.RemovedAt)}, nil
		},
	}
}

// invitationColumns is the list of columns of an invitation.
const invitationColumns = `code, id, account_id, role, email, created_at, created_by, expires_at, used_at, revoked_at`

// Invitation implements [store.Invitations]. It also finds used, revoked and expired
// invitations, so that the caller can report why one is no longer valid.
func (r reader) Invitation(ctx context.Context, code toksta.Digest) (store.Invitation, error) {
	return one(r.invitations(ctx, `WHERE code = $1`, code[:]))
}

// ListInvitations implements [store.Invitations].
func (r reader) ListInvitations(ctx context.Context, account toksta.AccountID) ([]store.Invitation, error) {
	return r.invitations(ctx, `WHERE account_id = $1 AND used_at = 0 AND revoked_at = 0 ORDER BY id`, account)
}

func (r reader) invitations(ctx context.Context, where string, args ...any) ([]store.Invitation, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+invitationColumns+` FROM invitations `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (i store.Invitation, err error) {
		return i, rows.Scan(digestColumn{&i.Code}, &i.ID, &i.AccountID, &i.Role, &i.Email, timeColumn{&i.CreatedAt}, &i.CreatedBy,
			timeColumn{&i.ExpiresAt}, timeColumn{&i.UsedAt}, timeColumn{&i.RevokedAt})
	})
}

// invitationRows describes how invitations are written: the code identifies the row.
func invitationRows() upsert[store.Invitation] {
	return upsert[store.Invitation]{
		table:    "invitations",
		conflict: []string{"code"},
		columns:  []string{"code", "id", "account_id", "role", "email", "created_at", "created_by", "expires_at", "used_at", "revoked_at"},
		args: func(i store.Invitation) ([]any, error) {
			return []any{
				i.Code[:], i.ID, i.AccountID, i.Role, i.Email, millis(i.CreatedAt), i.CreatedBy,
				millis(i.ExpiresAt), millis(i.UsedAt), millis(i.RevokedAt),
			}, nil
		},
	}
}
