package sqlstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestPostgresRoundTrips: a revoke holds the lock that all changes wait for during
// its second round trip. A change of very many rows must be sent in parts: while
// the server receives nothing, it may end the transaction.
func TestPostgresRoundTrips(t *testing.T) {
	t.Parallel()
	p := newProxy(t, pgtest.Start(t))
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: p.url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	account := newAccount(t, s)
	for rows, want := range map[int][2]int64{1: {2, 2}, 1000: {10, 30}} {
		var trips int64
		for range 3 { // the first ones prepare statements
			before := p.trips.Load()
			_, err := s.Commit(t.Context(), toksta.Actor{}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
				a, err := r.Account(ctx, account)
				m := store.Mutation{Kind: toksta.ChangeKeyRevoked, Accounts: []toksta.Account{a}}
				for i := range rows - 1 {
					m.Accounts = append(m.Accounts, toksta.Account{ID: toksta.AccountID(fmt.Sprint("acct_", i))})
				}
				return m, err
			})
			if err != nil {
				t.Fatal(err)
			}
			trips = p.trips.Load() - before
		}
		if trips < want[0] || trips > want[1] {
			t.Errorf("a change of %d rows made %d round trips, want %v", rows, trips, want)
		}
	}
	checkOperatorTrips(t, s, p)
}

// checkOperatorTrips: a revoke of an operator key makes no more round trips than that of a key,
// and a node reads operator keys only if one changed.
func checkOperatorTrips(t *testing.T, s *sqlstore.Store, p *proxy) {
	t.Helper()
	k := toksta.OperatorKey{ID: "op_1", Name: "CI", Roles: []toksta.Role{toksta.RoleRead}, Generations: []toksta.Generation{{Number: 1}}}
	commit := func(m store.Mutation) {
		t.Helper()
		_, err := s.Commit(t.Context(), toksta.Actor{}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			if m.Kind != toksta.ChangeOperatorKeyRevoked {
				return m, nil
			}
			k, err := r.OperatorKey(ctx, k.ID)
			m.OperatorKeys = []toksta.OperatorKey{k}
			return m, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	trips := func(do func()) int64 {
		before := p.trips.Load()
		do()
		return p.trips.Load() - before
	}
	n := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	if err := s.Register(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	follow := func() {
		t.Helper()
		seq, err := s.Follow(t.Context(), n, new(counter))
		if err != nil {
			t.Fatal(err)
		}
		n.Applied = seq
	}
	follow()
	commit(store.Mutation{Kind: toksta.ChangeOperatorKeyCreated, OperatorKeys: []toksta.OperatorKey{k}})
	var revoked, followed, idle int64
	for range 3 { // the first ones prepare statements
		revoked = trips(func() { commit(store.Mutation{Kind: toksta.ChangeOperatorKeyRevoked}) })
		followed, idle = trips(follow), trips(follow)
	}
	if revoked != 2 || followed != idle+1 {
		t.Errorf("a revoke made %d round trips, want 2; following it %d, want one more than %d without a change", revoked, followed, idle)
	}
}
