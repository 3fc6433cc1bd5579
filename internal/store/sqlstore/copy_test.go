package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestCopy: a copy to PostgreSQL must be complete, with all revocations, counts and numbers
// of the log, also after interruptions.
func TestCopy(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	path := filepath.Join(t.TempDir(), "toksta.db")
	change := createFilled(t, path)

	target := server.NewDatabase(t)
	ctx, interrupt := context.WithCancel(t.Context())
	err := sqlstore.Copy(ctx, sqlstore.CopyConfig{From: path, To: target, Progress: func(p sqlstore.CopyProgress) {
		if p.Table == "keys" {
			interrupt()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the interrupted copy: %v", err)
	}
	if _, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: target}); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Fatalf("half a copy can be served: %v", err)
	}
	first := ""
	resumed := sqlstore.CopyConfig{From: path, To: target, Progress: func(p sqlstore.CopyProgress) {
		if first == "" {
			first = fmt.Sprint(p.Table, " ", p.Rows)
		}
	}}
	if err := sqlstore.Copy(t.Context(), resumed); err != nil {
		t.Fatal(err)
	}
	if first != "keys 2000" {
		t.Errorf("the copy went on at %s, not where it stopped", first)
	}
	compareStores(t, path, target)

	s := openPostgres(t, target)
	next := newAccount(t, s)
	a, err := s.Account(t.Context(), next)
	if err != nil || a.Seq != change.Seq+1 {
		t.Errorf("the next change has number %d, %v, after %d", a.Seq, err, change.Seq)
	}
	err = sqlstore.Copy(t.Context(), sqlstore.CopyConfig{From: path, To: target})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a copy into a database in use: %v", err)
	}
}

// TestCopyRejects: a source must not be served during a copy, or between an interrupted copy
// and its continuation: the result would be a mixture.
func TestCopyRejects(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	path := filepath.Join(t.TempDir(), "toksta.db")
	createFilled(t, path)
	target := server.NewDatabase(t)

	served, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	err = sqlstore.Copy(t.Context(), sqlstore.CopyConfig{From: path, To: target})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a copy of a database that is served: %v", err)
	}
	if err := served.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, interrupt := context.WithCancel(t.Context())
	_ = sqlstore.Copy(ctx, sqlstore.CopyConfig{From: path, To: target, Progress: func(p sqlstore.CopyProgress) {
		if p.Table == "secrets" {
			interrupt()
		}
	}})
	query(t, path, `UPDATE keys SET revoked_at = 1 WHERE id = 'key_0007' RETURNING id`)
	err = sqlstore.Copy(t.Context(), sqlstore.CopyConfig{From: path, To: target})
	if err == nil || !strings.Contains(err.Error(), "keys differs") {
		t.Errorf("a copy of a source that changed in between: %v", err)
	}
	err = sqlstore.Copy(t.Context(), sqlstore.CopyConfig{From: target, To: path})
	if err == nil {
		t.Error("a copy in the wrong direction")
	}
}

// createFilled creates a database with rows in every copied table, and returns its last
// change.
func createFilled(t *testing.T, path string) toksta.Change {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.UnixMilli(1_700_000_000_123).UTC()
	account := newAccount(t, s)
	m := store.Mutation{
		Kind: toksta.ChangeKeysImported, AccountID: account, Token: "once", Detail: map[string]string{"who": "Ada → <b>Bob</b>"},
		Members:     []toksta.Member{{ID: "mem_a", Email: "Ada@x", Name: "Ädä\n", CreatedAt: now}},
		Memberships: []toksta.Membership{{AccountID: account, MemberID: "mem_a", Role: toksta.MemberOwner, CreatedAt: now}},
		Invitations: []store.Invitation{{Code: sha256.Sum256([]byte("code")), ExpiresAt: now}},
		Identities:  []store.Identity{{Provider: "acme", Subject: "ö|1", MemberID: "mem_a", Granted: []toksta.AccountID{account}, CreatedAt: now}},
		Passkeys:    []store.Passkey{{ID: "pass_a", MemberID: "mem_a", Credential: []byte{0}, PublicKey: []byte{1}}},
		TOTPs:       []store.TOTP{{MemberID: "mem_a", Secret: toksta.Hide("JBSWY3DPEHPK3PXP")}}, RecoveryCodes: []store.RecoveryCode{{MemberID: "mem_a"}},
	}
	m.OperatorKeys = []toksta.OperatorKey{{
		ID: "op_a", Name: "CI", Roles: []toksta.Role{toksta.RoleRead}, CreatedAt: now, RevokedAt: now,
		Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte("op_a")), Number: 1, CreatedAt: now}},
	}}
	for i := range 2500 {
		id := fmt.Sprintf("key_%04d", i)
		m.Keys = append(m.Keys, toksta.Key{
			ID: toksta.KeyID(id), AccountID: account, Name: "k", CreatedAt: now,
			Limits:      toksta.Limits{PerMinute: i % 3},
			Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte(id)), Number: 1, CreatedAt: now}},
		})
	}
	change, err := s.Commit(t.Context(), toksta.Actor{Name: "op"}, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutSession(t.Context(), store.Session{ID: sha256.Sum256([]byte("cookie")), MemberID: "mem_a", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutTicket(t.Context(), store.Ticket{ID: sha256.Sum256([]byte("link")), MemberID: "mem_a", Purpose: "reset"}); err != nil {
		t.Fatal(err)
	}
	total := store.UsageTotal{UsageSlot: store.UsageSlot{AccountID: account, KeyID: "key_0001", Hour: 1, Family: "data"}, Calls: 7}
	err = s.Flush(t.Context(), store.UsageBatch{
		Epoch: "e", Totals: []store.UsageTotal{total},
		LastUses: []store.LastUse{{KeyID: "key_0001", AccountID: account, At: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	notices := store.NoticeBatch{To: store.NoticePosition{Seq: 1}, Notices: []store.Notice{{ID: "ntc_a", MemberID: "mem_a", Kind: "key_created", At: now, Data: []byte(`{"a":"→"}`), Token: "once"}}}
	if _, err := s.WriteNotices(t.Context(), notices); err != nil {
		t.Fatal(err)
	}
	if err := s.SetTopics(t.Context(), store.NoticeBox{Member: "mem_a", Account: account}, map[string]bool{"keys": false}); err != nil {
		t.Fatal(err)
	}
	event := store.Event{ID: "evt_a", Kind: toksta.EventCreditsLow, AccountID: account, At: now, Data: []byte(`{"left":"→"}`), Token: "once"}
	if _, err := s.RaiseEvent(t.Context(), event, []string{"billing"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.CommitCredits(t.Context(), store.CreditQuery{Account: account}, func(c store.CreditState) (store.CreditMutation, error) {
		return store.CreditMutation{
			Entries:      []store.CreditEntry{{AccountID: account, Kind: store.CreditReserve, ReservationID: "res_a", IdempotencyKey: "job 1"}},
			Reservations: []store.Reservation{{ID: "res_a", Slot: total.UsageSlot, State: store.ReservationOpen, ExpiresAt: c.Now}},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// everything is a sink that keeps all rows.
type everything struct {
	Accounts  []toksta.Account
	Grants    map[toksta.Digest]toksta.Grant
	Operators map[toksta.Digest]toksta.OperatorGrant
	Events    []store.Event
}

func (e *everything) PutAccount(a toksta.Account) { e.Accounts = append(e.Accounts, a) }

func (e *everything) PutGrant(d toksta.Digest, _ toksta.AccountID, g toksta.Grant) { e.Grants[d] = g }

func (e *everything) PutOperatorGrant(d toksta.Digest, g toksta.OperatorGrant) { e.Operators[d] = g }

// compareStores compares the results of two stores for nodes and for people.
func compareStores(t *testing.T, one, other string) {
	t.Helper()
	read := func(url string) (all everything, changes []toksta.Change, keys []toksta.Key) {
		t.Helper()
		s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		all.Grants, all.Operators = map[toksta.Digest]toksta.Grant{}, map[toksta.Digest]toksta.OperatorGrant{}
		if _, err := s.Snapshot(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		if all.Events, err = s.ListEvents(t.Context(), store.EventQuery{}); err != nil {
			t.Fatal(err)
		}
		if changes, err = s.ListChanges(t.Context(), store.ChangeQuery{}); err != nil {
			t.Fatal(err)
		}
		if keys, err = s.ListKeys(t.Context(), store.KeyQuery{Page: store.Page{Limit: 3000}}); err != nil {
			t.Fatal(err)
		}
		return all, changes, keys
	}
	all, changes, keys := read(one)
	gotAll, gotChanges, gotKeys := read(other)
	if len(keys) != 2500 || len(all.Grants) != 2500 || len(all.Operators) != 1 {
		t.Fatalf("%d keys, %d grants, %d of operators: nothing is tested", len(keys), len(all.Grants), len(all.Operators))
	}
	for _, diff := range []string{cmp.Diff(all, gotAll), cmp.Diff(changes, gotChanges), cmp.Diff(keys, gotKeys)} {
		if diff != "" {
			t.Errorf("-source +target\n%s", diff)
		}
	}
}
