package sqlstore_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// impersonal lists the tables without any data of customers and their people.
var impersonal = map[string]string{
	"cluster": "the database", "clock": "the database", "schema_version": "the database", "nodes": "servers", "claims": "work of servers",
	"usage_epochs": "journals of servers", "export_state": "progress of the export", "notice_state": "progress of the notices",
	"operator_keys": "the vendor's staff and programs", "operator_secrets": "the vendor's staff and programs",
	"attempts": "SHA-256 digests, deleted after an hour",
}

// kept lists the columns whose text survives an erasure, with the reason.
var kept = map[string]string{
	"accounts.plan": "the vendor's offer", "accounts.status": "the vendor's offer", "accounts.cadence": "monthly or annual",
	"memberships.role":    "a role",
	"invitations.role":    "a role",
	"changes.kind":        "the kind",
	"credit_entries.kind": "the kind", "credit_entries.actor": "the vendor's staff", "reservations.state": "the state",
	"events.kind": "the kind", "events.token": "ids and a cycle, made by Toksta",
	"deliveries.channel": "the vendor's name of a webhook", "deliveries.state": "the state",
	"last_uses.operation": "the vendor's name of a route",
	"secrets.first":       "a part of a revoked secret", "secrets.last": "a part of a revoked secret", "secrets.digest": "every node needs it to reject the secret",
	"invitations.code": "the digest of a revoked code",
	"usage.family":     "the vendor's offer", "usage.cost_key": "the vendor's offer", "usage.reason": "a code", "usage.epoch": "the journal of a server",
	"reservations.family": "the vendor's offer", "reservations.cost_key": "the vendor's offer",
	"usage_exports.family": "the vendor's offer", "usage_exports.cost_key": "the vendor's offer",
}

// Guarantee: no text that an account or its people left in any column of any table survives its erasure,
// except in columns that have no personal data, and nothing of another account changes. A new table or
// column fails this test until Erase covers it or a table above gives the reason. An erasure that was
// interrupted can be repeated.
func TestErase(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		s := sqlitetest.Open(t)
		testErase(t, s.Store, "sqlite", s.File)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := pgtest.Start(t).NewDatabase(t)
		testErase(t, openPostgres(t, url), "pgx", url)
	})
}

func testErase(t *testing.T, s *sqlstore.Store, driver, url string) {
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	w := eraseWorld{t: t, db: db, tables: schema(t)}
	if driver == "pgx" {
		w.exec(`SET session_replication_role = replica`) // rows may be inserted before those that they refer to
	}
	w.plant("gone")
	w.plant("stays")
	w.exec(`UPDATE clock SET seq = (SELECT max(seq) FROM changes)`)
	before := w.rows("stays")
	service := accounts.Service{Log: (&sqlitetest.Store{Store: s}).DirectLog(), Store: s, Erasing: s, Now: time.Now}
	operator := toksta.Actor{Kind: toksta.ActorOperator, Name: "ops"}

	// As after a process was killed in the middle.
	if _, err := s.Erase(t.Context(), store.Erasure{Members: []toksta.MemberID{"mem_gone"}}); err != nil {
		t.Fatal(err)
	}
	out, err := service.Erase(t.Context(), operator, "acct_gone")
	if err != nil {
		t.Fatal(err)
	}
	if out.Members != 1 || out.Account.ErasedAt.IsZero() {
		t.Errorf("erased %+v", out)
	}
	survived := w.columnsWith("gone")
	for c := range survived {
		if kept[c] == "" {
			t.Errorf("%s has personal data after the erasure", c)
		}
	}
	for c, reason := range kept {
		if !survived[c] {
			t.Errorf("%s does not survive: remove %q from the test", c, reason)
		}
	}
	if diff := cmp.Diff(before, w.rows("stays")); diff != "" {
		t.Errorf("another account changed (-before +after):\n%s", diff)
	}
	again, err := service.Erase(t.Context(), operator, "acct_gone")
	if err != nil || len(again.Rows) > 0 && slices.Max(slices.Collect(maps.Values(again.Rows))) > 0 || again.Members != 0 || again.Receipt.Change.Seq != 0 {
		t.Errorf("the repetition changed %+v, %v", again, err)
	}
}

// textColumn, numberColumn and bytesColumn are the types of columns in the migrations.
const (
	textColumn   = "TEXT"
	numberColumn = "BIGINT"
	bytesColumn  = "BYTEA"
)

// schema returns the types of all columns, by table.
func schema(t *testing.T) map[string]map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "schema.db")
	sqlitetest.Create(t, file)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]map[string]string{}
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			t.Fatal(err)
		}
		if impersonal[table] != "" {
			continue
		}
		if out[table] == nil {
			out[table] = map[string]string{}
		}
		out[table][column] = strings.Replace(kind, "IDTEXT", textColumn, 1)
	}
	if err := rows.Err(); err != nil || len(out) < 15 {
		t.Fatalf("%d tables, %v", len(out), err)
	}
	return out
}

// eraseWorld has one row of each account in each table.
type eraseWorld struct {
	t      *testing.T
	db     *sql.DB
	tables map[string]map[string]string
	number int // of inserted rows
	seq    int // of the last inserted change
}

func (w *eraseWorld) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// plant inserts a row of the owner's account and person into each table. The changes, which have
// different subjects, are several.
func (w *eraseWorld) plant(owner string) {
	for _, table := range slices.Sorted(maps.Keys(w.tables)) {
		w.insert(table, owner, nil)
	}
	w.insert("changes", owner, map[string]any{"account_id": "", "kind": "member.password_set"})
	w.insert("changes", owner, map[string]any{"account_id": "", "kind": "member.profile_set", "actor_kind": "operator", "actor_id": "op", "actor_name": "", "actor_address": "", "actor_agent": ""})
	w.insert("changes", owner, map[string]any{
		"account_id": "", "member_id": "", "actor_id": "op", "actor_kind": "operator", "actor_name": "", "actor_address": "", "actor_agent": "",
		"kind": "invitation.created", "detail": `{"email":"MARK_` + owner + `@Example.com"}`, "token": nil,
	})
	w.insert("invitations", owner, map[string]any{"account_id": "", "email": "Mark_" + owner + "@example.com"})
	w.insert("tickets", owner, map[string]any{"member_id": "", "account_id": "", "data": `{"email":"Mark_` + owner + `@example.com"}`})
	// Work of the person in an account that is not erased, and that the person has left.
	w.insert("accounts", "left_by_"+owner, map[string]any{"name": "x", "external_id": nil})
	w.insert("memberships", "left_by_"+owner, map[string]any{"member_id": "mem_" + owner, "removed_at": 1})
	w.insert("keys", "left_by_"+owner, map[string]any{"created_by_id": "mem_" + owner, "created_by": "mark_" + owner})
	w.insert("changes", owner, map[string]any{"account_id": "acct_left_by_" + owner, "member_id": "mem_other", "detail": "{}", "token": nil})
}

// insert inserts a row whose texts contain the owner. values replaces the values of some columns.
func (w *eraseWorld) insert(table, owner string, values map[string]any) {
	w.t.Helper()
	w.number++
	if table == "changes" {
		w.seq++
	}
	mark := "mark_" + owner
	known := map[string]any{
		"account_id": "acct_" + owner, "member_id": "mem_" + owner, "actor_id": "mem_" + owner, "created_by_id": "mem_" + owner,
		"key_id": "key_" + owner, "event_id": "evt_" + owner, "reservation_id": "res_" + owner, "operator_key_id": "", "actor_kind": "member",
		"accounts.id": "acct_" + owner, "members.id": "mem_" + owner, "keys.id": "key_" + owner, "events.id": "evt_" + owner, "reservations.id": "res_" + owner,
		"invitations.created_by": "mem_" + owner, "invitations.id": "inv_" + strconv.Itoa(w.number), "changes.seq": w.seq,
		"members.email": mark + "@example.com", "changes.detail": `{"note":"` + mark + `"}`, "accounts.metadata": `{"note":"` + mark + `"}`,
		"accounts.entitlements": "{}", "changes.token": fmt.Sprint(mark, w.number), "keys.limits": `{"scopes":["` + mark + `"]}`,
		"accounts.closed_at": 1, "credit_entries.id": "cre_" + owner, "usage_exports.id": "exp_" + owner,
	}
	var columns, places []string
	var args []any
	for _, c := range slices.Sorted(maps.Keys(w.tables[table])) {
		value, ok := values[c]
		if !ok {
			value, ok = known[table+"."+c]
		}
		if !ok {
			value, ok = known[c]
		}
		if !ok {
			switch kind := w.tables[table][c]; kind {
			case textColumn:
				value = mark + "_" + c
			case numberColumn:
				value = 0
			case bytesColumn:
				value = w.bytes(table, c, owner)
			default:
				w.t.Fatalf("%s.%s has the type %s", table, c, kind)
			}
		}
		columns, args = append(columns, c), append(args, value)
		places = append(places, "$"+strconv.Itoa(len(args)))
	}
	w.exec(`INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(places, ", ")+`)`, args...)
}

// bytes returns the value of a column of bytes, different in each row.
func (w *eraseWorld) bytes(table, column, owner string) []byte {
	sum := sha256.Sum256(fmt.Append(nil, table, column, w.number))
	return append([]byte("mark_"+owner), sum[:]...)[:32]
}

// rows returns all rows of each table that contain the owner, as text.
func (w *eraseWorld) rows(owner string) map[string][]string {
	w.t.Helper()
	out := map[string][]string{}
	for table, columns := range w.tables {
		names := slices.Sorted(maps.Keys(columns))
		w.each(table, names, func(row []any) {
			if text := fmt.Sprintf("%s", row); strings.Contains(strings.ToLower(text), owner) {
				out[table] = append(out[table], text)
			}
		})
		slices.Sort(out[table])
	}
	return out
}

// columnsWith returns the columns, as "table.column", that contain the mark of the owner.
func (w *eraseWorld) columnsWith(owner string) map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	for table, columns := range w.tables {
		names := slices.Sorted(maps.Keys(columns))
		w.each(table, names, func(row []any) {
			for i, v := range row {
				if strings.Contains(strings.ToLower(fmt.Sprintf("%s", v)), "mark_"+owner) {
					out[table+"."+names[i]] = true
				}
			}
		})
	}
	return out
}

// each calls fn with each row of a table.
func (w *eraseWorld) each(table string, columns []string, fn func(row []any)) {
	w.t.Helper()
	rows, err := w.db.QueryContext(w.t.Context(), `SELECT `+strings.Join(columns, ", ")+` FROM `+table)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			w.t.Fatal(err)
		}
		fn(row)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
}
