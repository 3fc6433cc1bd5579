package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// FactorState implements [store.Factors].
func (r reader) FactorState(ctx context.Context, member toksta.MemberID) (f store.FactorState, err error) {
	const read = `SELECT (SELECT COUNT(*) FROM passkeys WHERE member_id = $1 AND removed_at = 0),
		(SELECT COUNT(*) FROM factors WHERE member_id = $1 AND confirmed_at <> 0),
		(SELECT COUNT(*) FROM recovery_codes WHERE member_id = $1 AND used_at = 0),
		(SELECT COUNT(*) FROM sessions WHERE member_id = $1 AND provider <> '' AND factor_at <> 0 AND expires_at > `
	var apps, sessions int
	err = r.q.QueryRowContext(ctx, read+r.clock+`)`, member).Scan(&f.Passkeys, &apps, &f.RecoveryCodes, &sessions)
	f.TOTP, f.Vouched = apps > 0, sessions > 0
	return f, rowError(err, "the factors of a member")
}

const passkeyColumns = `id, member_id, credential, public_key, sign_count, backup_eligible, backed_up, aaguid, transports, name,
	created_at, used_at, suspected_at, removed_at`

// Passkey implements [store.Factors].
func (r reader) Passkey(ctx context.Context, credential []byte) (store.Passkey, error) {
	return one(r.passkeys(ctx, `WHERE credential = $1 AND removed_at = 0`, credential))
}

// ListPasskeys implements [store.Factors].
func (r reader) ListPasskeys(ctx context.Context, member toksta.MemberID) ([]store.Passkey, error) {
	return r.passkeys(ctx, `WHERE member_id = $1 AND removed_at = 0 ORDER BY id`, member)
}

func (r reader) passkeys(ctx context.Context, where string, args ...any) ([]store.Passkey, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+passkeyColumns+` FROM passkeys `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (p store.Passkey, err error) {
		var eligible, backedUp int64
		err = rows.Scan(&p.ID, &p.MemberID, &p.Credential, &p.PublicKey, &p.SignCount, &eligible, &backedUp, &p.AAGUID, &p.Transports, &p.Name,
			timeColumn{&p.CreatedAt}, timeColumn{&p.UsedAt}, timeColumn{&p.SuspectedAt}, timeColumn{&p.RemovedAt})
		p.BackupEligible, p.BackedUp = eligible != 0, backedUp != 0
		return p, err
	})
}

// passkeyRows describes how passkeys are written. A renamed passkey keeps what its uses set,
// which is not part of the change log.
func passkeyRows() upsert[store.Passkey] {
	return upsert[store.Passkey]{
		table:    "passkeys",
		conflict: []string{"id"},
		columns: []string{
			"id", "member_id", "credential", "public_key", "sign_count", "backup_eligible", "backed_up", "aaguid", "transports", "name",
			"created_at", "used_at", "suspected_at", "removed_at",
		},
		insertOnly: []string{"sign_count", "backup_eligible", "backed_up", "used_at", "suspected_at"},
		args: func(p store.Passkey) ([]any, error) {
			return []any{
				p.ID, p.MemberID, p.Credential, p.PublicKey, p.SignCount, number(p.BackupEligible), number(p.BackedUp), p.AAGUID, p.Transports, p.Name,
				millis(p.CreatedAt), millis(p.UsedAt), millis(p.SuspectedAt), millis(p.RemovedAt),
			}, nil
		},
	}
}

const totpColumns = `member_id, secret, created_at, confirmed_at, last_step`

// TOTP implements [store.Factors].
func (r reader) TOTP(ctx context.Context, member toksta.MemberID) (t store.TOTP, err error) {
	var secret string
	err = r.q.QueryRowContext(ctx, `SELECT `+totpColumns+` FROM factors WHERE member_id = $1 AND secret <> ''`, member).Scan(
		&t.MemberID, &secret, timeColumn{&t.CreatedAt}, timeColumn{&t.ConfirmedAt}, &t.LastStep)
	t.Secret = toksta.Hide(secret)
	return t, rowError(err, "the authenticator app of a member")
}

// totpArgs returns the values of totpColumns.
func totpArgs(t store.TOTP) ([]any, error) {
	return []any{t.MemberID, t.Secret.Reveal(), millis(t.CreatedAt), millis(t.ConfirmedAt), t.LastStep}, nil
}

// totpRows describes how authenticator apps are written: the member identifies the row.
func totpRows() upsert[store.TOTP] {
	return upsert[store.TOTP]{
		table:    "factors",
		conflict: []string{"member_id"},
		columns:  []string{"member_id", "secret", "created_at", "confirmed_at", "last_step"},
		args:     totpArgs,
	}
}

// ListRecoveryCodes implements [store.Factors].
func (r reader) ListRecoveryCodes(ctx context.Context, member toksta.MemberID) ([]store.RecoveryCode, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT member_id, hash, used_at FROM recovery_codes WHERE member_id = $1 AND used_at = 0 ORDER BY hash`, member)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (c store.RecoveryCode, err error) {
		return c, rows.Scan(&c.MemberID, digestColumn{&c.Hash}, timeColumn{&c.UsedAt})
	})
}

// recoveryCodeRows describes how recovery codes are written.
func recoveryCodeRows() upsert[store.RecoveryCode] {
	return upsert[store.RecoveryCode]{
		table:    "recovery_codes",
		conflict: []string{"member_id", "hash"},
		columns:  []string{"member_id", "hash", "used_at"},
		args:     func(c store.RecoveryCode) ([]any, error) { return []any{c.MemberID, c.Hash[:], millis(c.UsedAt)}, nil },
	}
}

// writeFactors writes the passkeys, authenticator apps and recovery codes of a mutation.
func writeFactors(ctx context.Context, tx *dbconn.Tx, m *store.Mutation) error {
	if err := passkeyRows().queue(ctx, tx, m.Passkeys); err != nil {
		return err
	}
	if err := totpRows().queue(ctx, tx, m.TOTPs); err != nil {
		return err
	}
	return recoveryCodeRows().queue(ctx, tx, m.RecoveryCodes)
}

// UsePasskey implements [store.FactorUses].
func (s *Store) UsePasskey(ctx context.Context, p store.Passkey, was uint32) error {
	return s.useOnce(ctx, "note the use of a passkey", `UPDATE passkeys SET sign_count = $1, backup_eligible = $2, backed_up = $3, used_at = $4, suspected_at = $5
		WHERE credential = $6 AND removed_at = 0 AND sign_count = $7`,
		p.SignCount, number(p.BackupEligible), number(p.BackedUp), millis(p.UsedAt), millis(p.SuspectedAt), p.Credential, was)
}

// PutTOTP implements [store.FactorUses].
func (s *Store) PutTOTP(ctx context.Context, t store.TOTP) error {
	args, err := totpArgs(t)
	if err != nil {
		return err
	}
	insert := `INSERT INTO factors (` + totpColumns + `) SELECT members.id, $2, $3, $4, $5` + s.ofPerson("$1") + ` ON CONFLICT (member_id) DO UPDATE
		SET secret = excluded.secret, created_at = excluded.created_at, confirmed_at = excluded.confirmed_at, last_step = excluded.last_step
		WHERE factors.confirmed_at = 0`
	return s.useOnce(ctx, "store an authenticator app", insert, args...)
}

// UseTOTPStep implements [store.FactorUses].
func (s *Store) UseTOTPStep(ctx context.Context, member toksta.MemberID, step int64) error {
	return s.useOnce(ctx, "accept a time step", `UPDATE factors SET last_step = $1
		WHERE member_id = $2 AND confirmed_at <> 0 AND last_step < $3`, step, member, step)
}

// UseRecoveryCode implements [store.FactorUses].
func (s *Store) UseRecoveryCode(ctx context.Context, c store.RecoveryCode) error {
	return s.useOnce(ctx, "use a recovery code", `UPDATE recovery_codes SET used_at = $1 WHERE member_id = $2 AND hash = $3 AND used_at = 0`,
		millis(c.UsedAt), c.MemberID, c.Hash[:])
}

// useOnce executes a conditional change of one row. It returns ErrNotFound if no row meets the
// condition. Of several simultaneous executions whose change ends the condition, one succeeds.
func (s *Store) useOnce(ctx context.Context, purpose, statement string, args ...any) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		return oneRow(purpose, result, err)
	})
}

// oneRow returns the error of a conditional change of one row, ErrNotFound if no row met the condition.
func oneRow(purpose string, result sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", purpose, err)
	}
	rows, err := result.RowsAffected()
	if err == nil && rows == 0 {
		err = fmt.Errorf("%s: %w", purpose, store.ErrNotFound)
	}
	return err
}
