package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// NoticePosition implements [store.NoticeLog].
func (s *Store) NoticePosition(ctx context.Context) (p store.NoticePosition, err error) {
	return noticePosition(ctx, s.reads)
}

func noticePosition(ctx context.Context, q querier) (p store.NoticePosition, err error) {
	err = q.QueryRowContext(ctx, `SELECT seq, scanned_at FROM notice_state`).Scan(&p.Seq, timeColumn{&p.ScannedAt})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("read the position of notices: %w", err)
	}
	return p, nil
}

// ChangesAfter implements [store.NoticeLog].
func (s *Store) ChangesAfter(ctx context.Context, seq int64, limit int) ([]toksta.Change, error) {
	return listChanges(ctx, s.reads, `WHERE seq > $1 ORDER BY seq LIMIT $2`, seq, limit)
}

// KeysOfChange implements [store.NoticeLog].
func (s *Store) KeysOfChange(ctx context.Context, seq int64) (map[toksta.AccountID]int, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT account_id, count(*) FROM keys WHERE seq = $1 GROUP BY account_id`, seq)
	if err != nil {
		return nil, fmt.Errorf("read the keys of a change: %w", err)
	}
	defer rows.Close()
	out := map[toksta.AccountID]int{}
	for rows.Next() {
		var id toksta.AccountID
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		out[id] = n
	}
	return out, rows.Err()
}

// The queries of DatedKeys. The first conditions are those of the index keys_expiring.
const (
	expiringKeys = `SELECT id, account_id, expires_at FROM keys
		WHERE expires_at > 0 AND revoked_at = 0 AND expires_at > $1 AND expires_at <= $2 AND expires_at > $3 ORDER BY id`
	unusedKeys = `SELECT k.id, k.account_id, COALESCE(u.at, k.created_at) FROM keys k LEFT JOIN last_uses u ON u.key_id = k.id
		WHERE k.revoked_at = 0 AND COALESCE(u.at, k.created_at) > $1 AND COALESCE(u.at, k.created_at) <= $2
			AND (k.expires_at = 0 OR k.expires_at > $3) ORDER BY k.id`
)

// DatedKeys implements [store.NoticeLog]. For unused keys it reads all keys.
func (s *Store) DatedKeys(ctx context.Context, w store.KeyWindow) ([]store.DatedKey, error) {
	query := expiringKeys
	if w.Unused {
		ctx, query = dbconn.WithLongTimeout(ctx), unusedKeys
	}
	rows, err := s.reads.QueryContext(ctx, query, millis(w.After), millis(w.Until), millis(w.Now))
	if err != nil {
		return nil, fmt.Errorf("read keys by their dates: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (k store.DatedKey, err error) {
		return k, rows.Scan(&k.ID, &k.AccountID, timeColumn{&k.Date})
	})
}

// WriteNotices implements [store.NoticeLog]. The row of the position is locked before it is
// compared, so two nodes cannot both move it.
func (s *Store) WriteNotices(ctx context.Context, b store.NoticeBatch) (written bool, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		if written, err = moveNotices(ctx, tx, b); err != nil || !written {
			return err
		}
		return s.queueNotices(ctx, tx, b.Notices)
	})
	return written && err == nil, err
}

// moveNotices moves the position and reports whether it was b.From.
func moveNotices(ctx context.Context, tx *dbconn.Tx, b store.NoticeBatch) (bool, error) {
	if b.From == b.To {
		return true, nil
	}
	if err := newNoticeState(ctx, tx); err != nil {
		return false, err
	}
	result, err := tx.ExecContext(ctx, `UPDATE notice_state SET seq = $1, scanned_at = $2 WHERE seq = $3 AND scanned_at = $4`,
		b.To.Seq, millis(b.To.ScannedAt), b.From.Seq, millis(b.From.ScannedAt))
	if err != nil {
		return false, fmt.Errorf("move the position of notices: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}

// newNoticeState creates the only row of notice_state if it does not exist.
func newNoticeState(ctx context.Context, tx *dbconn.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO notice_state (one, seq, scanned_at, secret) VALUES (1, 0, 0, '') ON CONFLICT (one) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("create the position of notices: %w", err)
	}
	return nil
}

// queueNotices queues the statements that write new notices. Erased people get none.
func (s *Store) queueNotices(ctx context.Context, tx *dbconn.Tx, notices []store.Notice) error {
	insert := `INSERT INTO notices (id, member_id, account_id, kind, seq, at, data, address, token, read_at, mail, attempts, next_at, tried_at, outcome)
		SELECT $1, members.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0, ''` + s.ofPerson("$2") + ` ON CONFLICT (token) DO NOTHING`
	for _, n := range notices {
		err := tx.Queue(ctx, insert, n.ID, n.MemberID, n.AccountID, n.Kind, n.Seq, millis(n.At), string(n.Data), n.Address, n.Token,
			millis(n.ReadAt), n.Mail, millis(n.NextAt))
		if err != nil {
			return fmt.Errorf("write notices: %w", err)
		}
	}
	return nil
}

// NoticeSecret implements [store.NoticeMails].
func (s *Store) NoticeSecret(ctx context.Context, proposed string) (secret string, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		if err := newNoticeState(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE notice_state SET secret = $1 WHERE secret = ''`, proposed); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT secret FROM notice_state`).Scan(&secret)
	})
	if err != nil {
		return "", fmt.Errorf("read the secret of notices: %w", err)
	}
	return secret, nil
}

// PruneNotices implements [store.NoticeMails].
func (s *Store) PruneNotices(ctx context.Context, before time.Time) error {
	ctx = dbconn.WithLongTimeout(ctx)
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM notices WHERE at < $1`, millis(before)); err != nil {
			return fmt.Errorf("prune notices: %w", err)
		}
		return nil
	})
}

// noticeColumns lists the columns in the order of scanNotice.
const noticeColumns = `id, member_id, account_id, kind, seq, at, data, address, read_at, mail, attempts, next_at, tried_at, outcome`

func scanNotice(rows *sql.Rows) (n store.Notice, err error) {
	var data string
	err = rows.Scan(&n.ID, &n.MemberID, &n.AccountID, &n.Kind, &n.Seq, timeColumn{&n.At}, &data, &n.Address, timeColumn{&n.ReadAt},
		&n.Mail, &n.Attempts, timeColumn{&n.NextAt}, timeColumn{&n.TriedAt}, &n.Outcome)
	n.Data = []byte(data)
	return n, err
}

// claimNotices has its condition twice: a claim that waited for the lock of a row evaluates the
// outer condition again, and skips the row if it was claimed.
const claimNotices = `UPDATE notices SET attempts = attempts + 1, next_at = $1, tried_at = $2
	WHERE mail = 'pending' AND next_at <= $2 AND id IN (
		SELECT id FROM notices WHERE mail = 'pending' AND next_at <= $2 ORDER BY next_at, id LIMIT $3)
	RETURNING ` + noticeColumns

// ClaimNotices implements [store.NoticeMails].
func (s *Store) ClaimNotices(ctx context.Context, c store.NoticeClaim) (claimed []store.Notice, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		rows, err := tx.QueryContext(ctx, claimNotices, millis(c.Until), millis(c.Now), c.Limit)
		if err != nil {
			return fmt.Errorf("claim notices: %w", err)
		}
		claimed, err = collect(rows, scanNotice)
		return err
	})
	return claimed, err
}

// FinishNotice implements [store.NoticeMails]. The number of attempts and the end of the claim
// identify the claim.
func (s *Store) FinishNotice(ctx context.Context, claimed, result store.Notice) error {
	const finish = `UPDATE notices SET mail = $1, next_at = $2, outcome = $3
		WHERE id = $4 AND mail = 'pending' AND attempts = $5 AND next_at = $6`
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		_, err := tx.ExecContext(ctx, finish, result.Mail, millis(result.NextAt), result.Outcome, claimed.ID, claimed.Attempts, millis(claimed.NextAt))
		if err != nil {
			return fmt.Errorf("record the result of a notice: %w", err)
		}
		return nil
	})
}

// CountNoticeMails implements [store.NoticeMails].
func (s *Store) CountNoticeMails(ctx context.Context, box store.NoticeBox, since time.Time) (n int, err error) {
	const count = `SELECT count(*) FROM notices WHERE member_id = $1 AND account_id = $2 AND mail = 'sent' AND tried_at > $3`
	err = s.reads.QueryRowContext(ctx, count, box.Member, box.Account, millis(since)).Scan(&n)
	return n, rowError(err, "the number of mails")
}

// NoticeBacklog implements [store.NoticeReport]. It reads the index notices_due.
func (s *Store) NoticeBacklog(ctx context.Context) (b store.NoticeBacklog, err error) {
	const query = `SELECT count(*), count(CASE WHEN outcome <> '' THEN 1 END), COALESCE(min(next_at), 0) FROM notices WHERE mail = 'pending'`
	err = s.reads.QueryRowContext(ctx, query).Scan(&b.Waiting, &b.Retrying, timeColumn{&b.DueAt})
	return b, rowError(err, "the number of mails of notices")
}
