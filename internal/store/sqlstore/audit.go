package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// changeColumns lists the columns that listChanges reads. It omits the token.
const changeColumns = `seq, at, kind, actor_kind, actor_id, actor_name, actor_address, actor_agent,
	account_id, key_id, member_id, detail`

// ofKey selects a key's changes: those that name it, the first one, which may be an
// import of many keys, and the last one, which may have revoked many keys. No other
// change touches many keys.
const ofKey = ` WHERE seq IN (
	SELECT seq FROM changes WHERE key_id = $1 AND ($2 = '' OR account_id = $2)
	UNION SELECT first_seq FROM keys WHERE id = $1 AND ($2 = '' OR account_id = $2)
	UNION SELECT seq FROM keys WHERE id = $1 AND ($2 = '' OR account_id = $2))`

// ofAccount selects an account's changes: a page of those that name it, and those
// that imported or revoked one of its keys together with keys of other accounts. The
// limit keeps the first part as short as the page.
const ofAccount = ` WHERE seq IN (
	SELECT seq FROM (SELECT seq FROM changes WHERE account_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) own
	UNION SELECT first_seq FROM keys WHERE account_id = $1
	UNION SELECT seq FROM keys WHERE account_id = $1)`

// ListChanges implements [store.Audit]. It reads an index backwards, so its time does
// not grow with the log. For an account it grows with the number of keys.
func (r reader) ListChanges(ctx context.Context, q store.ChangeQuery) ([]toksta.Change, error) {
	var c conditions
	before := int64(math.MaxInt64)
	if q.Before > 0 {
		before = q.Before
	}
	switch {
	case q.Key != "":
		c.text.WriteString(ofKey)
		c.args = append(c.args, q.Key, q.Account)
	case q.Account != "":
		c.text.WriteString(ofAccount)
		c.args = append(c.args, q.Account, before, limit(q.Limit))
	}
	c.and("seq <", before)
	c.text.WriteString(" ORDER BY seq DESC LIMIT " + c.bind(limit(q.Limit)))
	return listChanges(ctx, r.q, c.text.String(), c.args...)
}

// ChangeByToken implements [store.Audit].
func (r reader) ChangeByToken(ctx context.Context, token string) (toksta.Change, error) {
	return one(listChanges(ctx, r.q, `WHERE token = $1`, token))
}

// listChanges reads the changes of a WHERE clause.
func listChanges(ctx context.Context, q querier, where string, args ...any) ([]toksta.Change, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+changeColumns+` FROM changes `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (c toksta.Change, err error) {
		return c, rows.Scan(&c.Seq, timeColumn{&c.At}, &c.Kind,
			&c.Actor.Kind, &c.Actor.ID, &c.Actor.Name, &c.Actor.Address, &c.Actor.Agent,
			&c.AccountID, &c.KeyID, &c.MemberID, jsonColumn{&c.Detail})
	})
}
