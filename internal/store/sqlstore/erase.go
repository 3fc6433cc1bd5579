package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// eraseBatch is the number of rows that one transaction of Erase changes. Other writers wait
// for one transaction at most.
const eraseBatch = 500

// erasure removes the personal data of the rows of a table that match a condition on $1.
type erasure struct {
	table string
	key   string // columns that identify a row
	where string
	set   []column // new values; none: the rows are deleted
}

// timeOfErasure stands for the database's time in the value of a column.
const timeOfErasure = `{now}`

// column is a column with an expression for its new value.
type column struct{ name, value string }

// keptDetails are the kinds of changes whose details have no personal data: numbers, and values
// that the vendor's configuration defines.
const keptDetails = `('account.plan_set', 'account.status_set', 'account.entitlement_set',
	'account.closed', 'account.reopened', 'account.erased', 'keys.revoked')`

// withoutDetail empties the details of changes, except those of keptDetails.
const withoutDetail = `CASE WHEN kind IN ` + keptDetails + ` THEN detail ELSE '{}' END`

// withoutActor are the values of a change by a member: the id stays, the person's data goes.
// Operators are the vendor's staff, so their names stay.
var withoutActor = []column{{"actor_name", `''`}, {"actor_address", `''`}, {"actor_agent", `''`}}

// accountErasures remove the personal data of the account $1.
var accountErasures = []erasure{
	{"sessions", "id", `account_id = $1`, nil},
	{"tickets", "id", `account_id = $1`, nil},
	{"notices", "id", `account_id = $1`, nil},
	{"notice_preferences", "member_id, account_id, topic", `account_id = $1`, nil},
	{"invitations", "code", `account_id = $1`, []column{{"email", `''`}}},
	{"keys", "id", `account_id = $1`, []column{
		{"name", "id"},
		{"limits", `''`},
		{"external_id", "NULL"},
		{"metadata", `''`},
		{"created_by", `CASE WHEN created_by_id = '' THEN created_by ELSE created_by_id END`},
	}},
	{"last_uses", "key_id", `account_id = $1`, []column{{"address", `''`}, {"agent", `''`}}},
	{"events", "id", `account_id = $1`, []column{{"data", `'{}'`}}},
	{"deliveries", "event_id, channel", `event_id IN (SELECT id FROM events WHERE account_id = $1)`, []column{
		// An event without its data must not be delivered.
		{"outcome", `''`}, {"state", `CASE WHEN state = 'pending' THEN 'dead' ELSE state END`},
	}},
	{"credit_entries", "id", `account_id = $1`, []column{{"reason", `''`}, {"idempotency_key", "NULL"}, {"request", `''`}}},
	{"usage_exports", "id", `account_id = $1`, []column{{"external_id", `''`}}},
	{"changes", "seq", `account_id = $1`, []column{{"detail", withoutDetail}, {"token", "NULL"}}},
	{"changes", "seq", `account_id = $1 AND actor_kind = 'member'`, withoutActor},
}

// ofMember selects the rows with the accounts of the member $1, also of those that the person
// has left. It lets an index of the account find the rows.
const ofMember = `account_id IN (SELECT account_id FROM memberships WHERE member_id = $1)`

// memberErasures remove the personal data of the member $1 from all accounts.
var memberErasures = []erasure{
	{"sessions", "id", `member_id = $1`, nil},
	{"tickets", "id", `member_id = $1`, nil},
	{"identities", "provider, subject", `member_id = $1`, nil},
	{"browsers", "id, member_id", `member_id = $1`, nil},
	{"passkeys", "id", `member_id = $1`, nil},
	{"factors", "member_id", `member_id = $1`, nil},
	{"recovery_codes", "member_id, hash", `member_id = $1`, nil},
	{"notices", "id", `member_id = $1`, nil},
	{"notice_preferences", "member_id, account_id, topic", `member_id = $1`, nil},
	{"keys", "id", ofMember + ` AND created_by_id = $1`, []column{{"created_by", "created_by_id"}}},
	{"changes", "seq", `actor_id = $1 AND actor_kind = 'member'`, withoutActor},
	{"changes", "seq", `member_id <> '' AND member_id = $1`, []column{{"detail", withoutDetail}, {"token", "NULL"}}},
}

// Erase implements [store.Erasing].
func (s *Store) Erase(ctx context.Context, e store.Erasure) (map[string]int64, error) {
	ctx = dbconn.WithLongTimeout(ctx)
	rows := map[string]int64{}
	erase := func(all []erasure, arg any) error {
		for _, one := range all {
			n, err := s.eraseRows(ctx, one, arg)
			if n > 0 {
				rows[one.table] += n
			}
			if err != nil {
				return fmt.Errorf("erase from %s: %w", one.table, err)
			}
		}
		return nil
	}
	for _, address := range e.Addresses {
		quoted, err := jsonText(address)
		if err != nil {
			return rows, fmt.Errorf("encode an address: %w", err)
		}
		if err := erase(invitationErasures, address); err != nil {
			return rows, err
		}
		pattern := `%"email":` + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(quoted) + `%`
		if err := erase(addressErasures, pattern); err != nil {
			return rows, err
		}
	}
	for _, m := range e.Members {
		if err := erase(memberErasures, m); err != nil {
			return rows, err
		}
	}
	if e.Account != "" {
		if err := erase(accountErasures, e.Account); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// invitationErasures remove the e-mail address $1 from invitations, which can be older than the account, and
// revoke those that are open: without an address, any person could use them. addressErasures remove the links to sign up and the details of
// changes that match the pattern $1.
var (
	invitationErasures = []erasure{{"invitations", "code", `lower(email) = lower($1)`, []column{
		{"email", `''`}, {"revoked_at", `CASE WHEN used_at = 0 AND revoked_at = 0 THEN ` + timeOfErasure + ` ELSE revoked_at END`},
	}}}
	addressErasures = []erasure{
		{"tickets", "id", `member_id = '' AND lower(data) LIKE lower($1) ESCAPE '!'`, nil},
		{
			"changes", "seq", `kind IN ('invitation.created', 'invitation.revoked') AND lower(detail) LIKE lower($1) ESCAPE '!'`,
			[]column{{"detail", `'{}'`}, {"token", "NULL"}},
		},
	}
)

// eraseRows carries out one erasure, batch by batch, and returns the number of rows.
func (s *Store) eraseRows(ctx context.Context, e erasure, arg any) (total int64, err error) {
	statement := strings.ReplaceAll(e.statement(), timeOfErasure, s.now)
	for {
		var n int64
		err := s.inTx(ctx, func(tx *dbconn.Tx) error {
			result, err := tx.ExecContext(ctx, statement, arg)
			if err != nil {
				return err
			}
			n, err = result.RowsAffected()
			return err
		})
		if total += n; err != nil || n < eraseBatch {
			return total, err
		}
	}
}

// statement returns the statement for one batch. It selects only rows that have other values
// than the new ones, so that a repetition finds the rest.
func (e erasure) statement() string {
	var set, was, is []string
	for _, c := range e.set {
		set = append(set, c.name+" = "+c.value)
		was, is = append(was, c.name), append(is, c.value)
	}
	batch := `(SELECT ` + e.key + ` FROM ` + e.table + ` WHERE ` + e.where
	if len(set) > 0 {
		batch += ` AND (` + differs(was, is) + `)`
	}
	batch += ` LIMIT ` + strconv.Itoa(eraseBatch) + `)`
	if len(set) == 0 {
		return `DELETE FROM ` + e.table + ` WHERE (` + e.key + `) IN ` + batch
	}
	return `UPDATE ` + e.table + ` SET ` + strings.Join(set, ", ") + ` WHERE (` + e.key + `) IN ` + batch
}

// differs returns the condition that a column has another value than its new one.
func differs(was, is []string) string {
	var out []string
	for i := range was {
		out = append(out, was[i]+" IS DISTINCT FROM "+is[i])
	}
	return strings.Join(out, " OR ")
}

// MarkErased implements [store.Erasing]. The time is no part of the rows that nodes follow.
func (s *Store) MarkErased(ctx context.Context, account toksta.AccountID) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE accounts SET erased_at = `+s.now+` WHERE id = $1 AND erased_at = 0`, account)
		if err != nil {
			return fmt.Errorf("mark the account as erased: %w", err)
		}
		return nil
	})
}
