package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// inBox selects the notices that the pages of account $2 show to member $1.
const inBox = ` WHERE member_id = $1 AND (account_id = $2 OR account_id = '') AND address = ''`

// selectBox returns the conditions of a box.
func selectBox(box store.NoticeBox) *conditions {
	c := &conditions{}
	c.text.WriteString(inBox)
	c.args = append(c.args, box.Member, box.Account)
	for _, kind := range box.Without {
		c.and("kind <>", kind)
	}
	return c
}

// ListNotices implements [store.NoticePages].
func (s *Store) ListNotices(ctx context.Context, box store.NoticeBox, limit int) ([]store.Notice, error) {
	c := selectBox(box)
	c.text.WriteString(" ORDER BY id DESC LIMIT " + c.bind(limit))
	rows, err := s.reads.QueryContext(ctx, `SELECT `+noticeColumns+` FROM notices`+c.text.String(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return collect(rows, scanNotice)
}

// CountUnread implements [store.NoticePages].
func (s *Store) CountUnread(ctx context.Context, box store.NoticeBox) (n int, err error) {
	c := selectBox(box)
	err = s.reads.QueryRowContext(ctx, `SELECT count(*) FROM notices`+c.text.String()+` AND read_at = 0`, c.args...).Scan(&n)
	return n, rowError(err, "the number of notices")
}

// ReadNotices implements [store.NoticePages].
func (s *Store) ReadNotices(ctx context.Context, box store.NoticeBox, through string, at time.Time) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE notices SET read_at = $4`+inBox+` AND read_at = 0 AND id <= $3`, box.Member, box.Account, through, millis(at))
		if err != nil {
			return fmt.Errorf("mark notices as read: %w", err)
		}
		return nil
	})
}

// UnmailedTopics implements [store.NoticePages].
func (s *Store) UnmailedTopics(ctx context.Context, box store.NoticeBox) ([]string, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT topic FROM notice_preferences
		WHERE member_id = $1 AND account_id = $2 AND mail = 0 ORDER BY topic`, box.Member, box.Account)
	if err != nil {
		return nil, fmt.Errorf("read the preferences of notices: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (topic string, err error) { return topic, rows.Scan(&topic) })
}

// SetTopics implements [store.NoticePages].
func (s *Store) SetTopics(ctx context.Context, box store.NoticeBox, mails map[string]bool) error {
	set := `INSERT INTO notice_preferences (member_id, account_id, topic, mail) SELECT members.id, $2, $3, $4` + s.ofPerson("$1") + `
		ON CONFLICT (member_id, account_id, topic) DO UPDATE SET mail = excluded.mail`
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		for topic, on := range mails {
			mail := 0
			if on {
				mail = 1
			}
			if err := tx.Queue(ctx, set, box.Member, box.Account, topic, mail); err != nil {
				return fmt.Errorf("write the preferences of notices: %w", err)
			}
		}
		return nil
	})
}
