package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestMembersOfEarlierVersions: members that earlier versions stored must be found by the
// stored spelling and by the spelling of browsers, also two members of one mailbox, each by
// their own spelling.
func TestMembersOfEarlierVersions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	account := newAccount(t, s)
	commit := func(members ...toksta.Member) {
		t.Helper()
		m := store.Mutation{Kind: toksta.ChangeMemberCreated, AccountID: account, Members: members}
		if _, err := s.Commit(t.Context(), toksta.Actor{Name: "op"}, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }); err != nil {
			t.Fatal(err)
		}
	}
	commit(toksta.Member{ID: "mem_a", Email: "ada@Bücher.example"}, toksta.Member{ID: "mem_b", Email: "bob@Bücher.example"})
	query(t, path, `UPDATE members SET email_folded = 'ada@bücher.example' WHERE id = 'mem_a' RETURNING id`)
	query(t, path, `UPDATE members SET email_folded = 'bob@bücher.example' WHERE id = 'mem_b' RETURNING id`)
	commit(toksta.Member{ID: "mem_c", Email: "bob@xn--bcher-kva.example"})
	found := func() {
		t.Helper()
		for spelling, want := range map[string]toksta.MemberID{
			"Ada@bücher.example": "mem_a", "ada@xn--bcher-kva.example": "mem_a",
			"bob@bücher.example": "mem_b", "bob@xn--bcher-kva.example": "mem_c",
		} {
			if m, err := s.MemberByEmail(t.Context(), spelling); err != nil || m.ID != want {
				t.Errorf("%s is %s, %v; want %s", spelling, m.ID, err, want)
			}
		}
	}
	found()
	// A new password does not change how the row is found.
	commit(toksta.Member{ID: "mem_b", Email: "bob@Bücher.example", PasswordHash: "next"})
	found()
}
