package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// changeColumns lists the columns that listChanges reads. It omits the idempotency token.
const changeColumns = `seq, at, kind, actor_kind, actor_id, actor_name, actor_address, actor_agent,
	account_id, key_id, member_id, detail, operator_key_id`

// changesOfKey selects the changes of key $1, of account $2 or, if that is "", of any
// account: every change that names the key, the change that created it, and the change
// that touched it last. The latter two need not name the key: an import creates many
// keys, and one change can revoke many. Other changes name the one key that they touch.
const changesOfKey = ` WHERE seq IN (
	SELECT seq FROM changes WHERE key_id = $1 AND ($2 = '' OR account_id = $2)
	UNION SELECT first_seq FROM keys WHERE id = $1 AND ($2 = '' OR account_id = $2)
	UNION SELECT seq FROM keys WHERE id = $1 AND ($2 = '' OR account_id = $2))`

// changesOfAccount selects the changes of account $1: the newest $3 before number $2 that
// name it, and every change that created or last touched one of its keys. The second part
// is needed because one change can import or revoke keys of many accounts. The inner limit
// avoids reading the account's whole history for one page.
const changesOfAccount = ` WHERE seq IN (
	SELECT seq FROM (SELECT seq FROM changes WHERE account_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) own
	UNION SELECT first_seq FROM keys WHERE account_id = $1
	UNION SELECT seq FROM keys WHERE account_id = $1)`

// changesOfMember selects the newest $3 changes before number $2 by member $1, and those about
// the member.
const changesOfMember = ` WHERE seq IN (
	SELECT seq FROM (SELECT seq FROM changes WHERE actor_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) made
	UNION SELECT seq FROM (SELECT seq FROM changes WHERE member_id <> '' AND member_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) about)`

// ListChanges implements [store.Audit]. It reads indexes, so its time does not grow with
// the whole log. For a key, it reads all changes of the key. For an account, it reads one
// page of the account's own changes, and the first and last change of each of its keys.
// The second part has no limit of its own, so the outer query applies before to it too.
func (r reader) ListChanges(ctx context.Context, q store.ChangeQuery) ([]toksta.Change, error) {
	var c conditions
	before := int64(math.MaxInt64)
	if q.Before > 0 {
		before = q.Before
	}
	switch {
	case q.Key != "":
		c.text.WriteString(changesOfKey)
		c.args = append(c.args, q.Key, q.Account)
	case q.Account != "":
		c.text.WriteString(changesOfAccount)
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

// listChanges reads the changes that match a WHERE clause.
func listChanges(ctx context.Context, q querier, where string, args ...any) ([]toksta.Change, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+changeColumns+` FROM changes `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (c toksta.Change, err error) {
		return c, rows.Scan(&c.Seq, timeColumn{&c.At}, &c.Kind,
			&c.Actor.Kind, &c.Actor.ID, &c.Actor.Name, &c.Actor.Address, &c.Actor.Agent,
			&c.AccountID, &c.KeyID, &c.MemberID, jsonColumn{&c.Detail}, &c.OperatorKeyID)
	})
}
