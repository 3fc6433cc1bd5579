package sqlstore_test

import (
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestUpgrade: credits that were purchased before there were credit entries must get an
// entry, or the verification reports each of them. Keys must get the ids of their creators,
// by which an operator selects keys after a leak.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "toksta.db")
		testUpgrade(t, goose.DialectSQLite3, "sqlite", path)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := pgtest.Start(t).NewDatabase(t)
		testUpgrade(t, goose.DialectPostgres, "pgx", url)
	})
}

func testUpgrade(t *testing.T, dialect goose.Dialect, driver, url string) {
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	if dialect == goose.DialectPostgres {
		exec(`CREATE DOMAIN idtext AS text COLLATE "C"`)
	}
	before, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithTableName("schema_version"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.UpTo(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	const account = `INSERT INTO accounts (id, name, plan, status, status_since, cadence, cycle_anchor, entitlements, created_at, seq) VALUES `
	exec(account + `('acct_01A', 'a', 'p', 's', 0, 'monthly', 0, '{"purchased_credits":700}', 5, 1)`)
	exec(account + `('acct_01B', 'b', 'p', 's', 0, 'monthly', 0, '{}', 6, 2)`)
	for i, by := range []toksta.ActorKind{toksta.ActorMember, toksta.ActorOperator} {
		id := "key_of_" + string(by)
		exec(`INSERT INTO changes (seq, at, kind, actor_kind, actor_id, actor_name, actor_address, actor_agent, account_id, key_id, member_id, detail)
			VALUES ($1, 0, 'key.created', $2, 'mem_1', 'Ada', '', '', 'acct_01A', $3, '', '{}')`, i+3, string(by), id)
		exec(`INSERT INTO keys (id, account_id, name, limits, created_at, created_by, expires_at, revoked_at, seq)
			VALUES ($1, 'acct_01A', 'k', '', 0, 'Ada', 0, 0, $2)`, id, i+3)
		digest := sha256.Sum256([]byte(id))
		exec(`INSERT INTO secrets (digest, key_id, number, first, last, created_at, revoked_at)
			VALUES ($1, $2, 1, '', '', 0, 0)`, digest[:], id)
	}

	exec(`INSERT INTO members (id, account_id, email, email_folded, name, password_hash, created_at, disabled_at)
		VALUES ('mem_1', 'acct_01A', 'Ada@x', 'ada@x', 'Ada', 'hash', 7, 0)`)
	exec(`UPDATE clock SET seq = 4`)
	session := sha256.Sum256([]byte("cookie"))
	exec(`INSERT INTO sessions (id, member_id, created_at, seen_at, expires_at, address, agent) VALUES ($1, 'mem_1', 8, 9, 10, 'a', 'b')`, session[:])

	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []store.CreditBook
	if err := s.CreditBooks(t.Context(), func(b store.CreditBook) { got = append(got, b) }); err != nil {
		t.Fatal(err)
	}
	want := []store.CreditBook{{AccountID: "acct_01A", Purchased: 700, Count: 1, Entries: []store.CreditEntry{{
		ID: "cre_01A", AccountID: "acct_01A", Number: 1, Kind: store.CreditPurchase, Delta: toksta.Charge{Credits: 700, Purchased: 700},
		Reason: "bought before the ledger", Actor: "system",
	}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.CreditEntry{}, "At")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for id, want := range map[toksta.KeyID]toksta.MemberID{"key_of_member": "mem_1", "key_of_operator": ""} {
		if k, err := s.Key(t.Context(), "acct_01A", id); err != nil || k.CreatedByID != want {
			t.Errorf("%s was created by %q, want %q, %v", id, k.CreatedByID, want, err)
		}
	}
	// The member of an account owns it, and is not known to receive mail at the address.
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	members, err := s.ListAccountMembers(t.Context(), "acct_01A")
	wantMembers := []store.AccountMember{{
		Member:     toksta.Member{ID: "mem_1", Email: "Ada@x", Name: "Ada", PasswordHash: "hash", CreatedAt: at(7)},
		Membership: toksta.Membership{AccountID: "acct_01A", MemberID: "mem_1", Role: toksta.MemberOwner, CreatedAt: at(7)},
	}}
	if diff := cmp.Diff(wantMembers, members); diff != "" || err != nil {
		t.Errorf("-want +got\n%s%v", diff, err)
	}
	wantSession := store.Session{
		ID: session, MemberID: "mem_1", AccountID: "acct_01A", Method: "password", CreatedAt: at(8), ConfirmedAt: at(8), SeenAt: at(9),
		ExpiresAt: at(10), Address: "a", Agent: "b",
	}
	// Members get no notices about changes before the upgrade.
	if p, err := s.NoticePosition(t.Context()); err != nil || p.Seq != 4 {
		t.Errorf("notices start after change %d, %v", p.Seq, err)
	}
	if got, err := s.Session(t.Context(), session); err != nil || got != wantSession {
		t.Errorf("session %+v, %v", got, err)
	}
}
