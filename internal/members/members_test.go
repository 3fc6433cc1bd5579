package members_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// manage lists a call of each method that changes a member, by an actor.
func (w *world) manage(ctx context.Context, by toksta.Actor, on members.Ref) map[string]func() error {
	ignore := func(_ any, err error) error { return err }
	return map[string]func() error{
		"make viewer": func() error {
			return ignore(w.SetRole(ctx, by, members.RoleRequest{Ref: on, Role: toksta.MemberViewer}))
		},
		"make owner": func() error {
			return ignore(w.SetRole(ctx, by, members.RoleRequest{Ref: on, Role: toksta.MemberOwner}))
		},
		"disable": func() error { return ignore(w.Disable(ctx, by, members.DisableRequest{Ref: on})) },
		"remove": func() error {
			return ignore(w.Remove(ctx, by, members.RemoveRequest{Ref: on, Keys: members.KeepKeys}))
		},
		"transfer": func() error { return ignore(w.TransferOwnership(ctx, by, on)) },
	}
}

// Guarantee: only owners change owners and make owners, admins manage all other members, and no
// other role manages members. A rejected request changes nothing.
func TestRolesManageMembers(t *testing.T) {
	t.Parallel()
	for _, actor := range toksta.MemberRoles() {
		for _, subject := range append(toksta.MemberRoles(), "owner2") {
			for name := range (&world{}).manage(t.Context(), operator, members.Ref{}) {
				if string(actor) == string(subject) {
					continue // members who change themselves have a test of their own
				}
				owner := subject == toksta.MemberOwner || subject == "owner2"
				allowed := actor == toksta.MemberOwner || actor == toksta.MemberAdmin && !owner
				if name == "make owner" || name == "transfer" {
					allowed = actor == toksta.MemberOwner
				}
				if name == "transfer" && owner || name == "make viewer" && subject == toksta.MemberViewer || name == "make owner" && owner {
					continue // nothing to change
				}
				w := newWorld(t)
				before := w.newest(t).Seq
				err := w.manage(t.Context(), person(string(actor)), in(string(subject)))[name]()
				if (err == nil) != allowed || err != nil && toksta.ErrorCode(err) != toksta.CodeForbidden {
					t.Errorf("%s: %s by %s: %v, allowed %t", subject, name, actor, err, allowed)
				}
				if changed := w.newest(t).Seq != before; changed != allowed {
					t.Errorf("%s: %s by %s: changed %t", subject, name, actor, changed)
				}
			}
		}
	}
}

// Guarantee: a person who is disabled in all accounts is not reported as enabled in one of them.
func TestEnableDisabledEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take(t, "viewer", "disabled everywhere")
	_, err := w.Enable(t.Context(), person("owner"), in("viewer"))
	w.wantError(t, err, toksta.CodeConflict, "Only the vendor")
	_, err = w.Enable(t.Context(), operator, in("viewer"))
	w.wantError(t, err, toksta.CodeConflict, "without an account")
	if _, err = w.Enable(t.Context(), operator, members.Ref{Member: in("viewer").Member}); err != nil || w.role(t, "viewer") != toksta.MemberViewer {
		t.Errorf("%v, role %q", err, w.role(t, "viewer"))
	}
}

// Guarantee: no role lets a member raise their own role, or enable themselves.
func TestOwnRole(t *testing.T) {
	t.Parallel()
	for _, role := range toksta.MemberRoles()[1:] {
		w := newWorld(t)
		self := person(string(role))
		for _, higher := range toksta.MemberRoles() {
			if higher == role {
				break
			}
			_, err := w.SetRole(t.Context(), self, members.RoleRequest{Ref: in(string(role)), Role: higher})
			w.wantError(t, err, toksta.CodeForbidden, "")
		}
		if _, err := w.Disable(t.Context(), operator, members.DisableRequest{Ref: in(string(role))}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Enable(t.Context(), self, in(string(role)))
		w.wantError(t, err, toksta.CodeForbidden, "")
		if got := w.role(t, string(role)); got != "" {
			t.Errorf("%s acts as %q", role, got)
		}
	}
}

// Guarantee: for members, the members of another account do not exist, and no method of an account
// reaches them.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.newest(t).Seq
	for name, call := range w.manage(t.Context(), person("b"), in("viewer")) {
		if err := call(); toksta.ErrorCode(err) != toksta.CodeForbidden {
			t.Errorf("%s in another account: %v", name, err)
		}
	}
	for name, call := range w.manage(t.Context(), person("b"), members.Ref{Account: "acct_b", Member: "mem_viewer"}) {
		if err := call(); toksta.ErrorCode(err) != toksta.CodeNotFound {
			t.Errorf("%s of another account's member: %v", name, err)
		}
	}
	if got := w.newest(t).Seq; got != before {
		t.Errorf("%d changes", got-before)
	}
}

// Guarantee: an account keeps an owner who can sign in. Only the operator can leave it without
// one, and only if the request says so.
func TestLastOwner(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"demoted", "disabled", "disabled everywhere", "removed", "unverified"} {
		w := newWorld(t)
		w.take(t, "owner2", gone)
		for name, call := range w.manage(t.Context(), operator, in("owner")) {
			if name == "make owner" || name == "transfer" {
				continue
			}
			w.wantError(t, call(), toksta.CodeConflict, "no owner")
		}
		_, err := w.Leave(t.Context(), person("owner"), "acct_a")
		w.wantError(t, err, toksta.CodeConflict, "no owner")
		_, err = w.SetRole(t.Context(), person("owner"), members.RoleRequest{Ref: in("owner"), Role: toksta.MemberAdmin})
		w.wantError(t, err, toksta.CodeConflict, "no owner")
		_, err = w.SetRole(t.Context(), person("owner"), members.RoleRequest{Ref: in("owner"), Role: toksta.MemberAdmin, WithoutOwner: true})
		w.wantError(t, err, toksta.CodeForbidden, "")
		_, err = w.Disable(t.Context(), operator, members.DisableRequest{Ref: members.Ref{Member: "mem_owner"}})
		w.wantError(t, err, toksta.CodeConflict, "no owner")
		if w.role(t, "owner") != toksta.MemberOwner {
			t.Fatalf("%s: the last owner is %q", gone, w.role(t, "owner"))
		}
		if _, err := w.Remove(t.Context(), operator, members.RemoveRequest{Ref: in("owner"), Keys: members.KeepKeys, WithoutOwner: true}); err != nil {
			t.Error(err)
		}
	}
}

// take makes a person unable to act as an owner of acct_a.
func (w *world) take(t *testing.T, name, how string) {
	t.Helper()
	m, err := w.store.Member(t.Context(), toksta.MemberID("mem_"+name))
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "demoted":
		w.setRole(t, name, toksta.MemberAdmin)
	case "disabled":
		_, err = w.Disable(t.Context(), operator, members.DisableRequest{Ref: in(name)})
	case "disabled everywhere":
		_, err = w.Disable(t.Context(), operator, members.DisableRequest{Ref: members.Ref{Member: m.ID}})
	case "removed":
		_, err = w.Remove(t.Context(), operator, members.RemoveRequest{Ref: in(name), Keys: members.KeepKeys})
	case "unverified":
		m.ExpiresAt = w.now.Add(time.Hour)
		w.commit(t, store.Mutation{Kind: toksta.ChangeMemberProfileSet, Members: []toksta.Member{m}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Guarantee: two owners who demote each other at the same time leave one owner.
func TestOwnersDemoteEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	demote := func(by, other string) error {
		_, err := w.SetRole(t.Context(), person(by), members.RoleRequest{Ref: in(other), Role: toksta.MemberViewer})
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = demote("owner", "owner2") })
	wg.Go(func() { errs[1] = demote("owner2", "owner") })
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("got %v and %v", errs[0], errs[1])
	}
	if err := errors.Join(errs...); toksta.ErrorCode(err) != toksta.CodeForbidden {
		t.Errorf("the rejected request: %v", err)
	}
}

// Guarantee: a change by a member that is being decided while the member is removed is either
// ordered before the removal or rejected. Here the removal commits between the check of the page
// and the transaction of the change.
func TestRemovalDuringRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	decided := make(chan struct{})
	removed := make(chan struct{})
	late := make(chan error)
	slow := members.Log{Log: pausedLog{w.store, decided, removed}}
	go func() {
		s := *w.Service
		s.Log = slow
		_, err := s.SetRole(t.Context(), person("admin"), members.RoleRequest{Ref: in("viewer"), Role: toksta.MemberDeveloper})
		late <- err
	}()
	<-decided
	_, err := w.Remove(t.Context(), person("owner"), members.RemoveRequest{Ref: in("admin"), Keys: members.KeepKeys})
	close(removed)
	if err != nil {
		t.Fatal(err)
	}
	w.wantError(t, <-late, toksta.CodeForbidden, "")
	if got := w.role(t, "viewer"); got != toksta.MemberViewer {
		t.Errorf("the removed admin made the viewer a %s", got)
	}
}

// pausedLog is a log that pauses before the transaction of a change.
type pausedLog struct {
	store   store.Mutator
	decided chan<- struct{}
	removed <-chan struct{}
}

// Commit implements [store.Log].
func (l pausedLog) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Receipt, error) {
	close(l.decided)
	<-l.removed
	change, err := l.store.Commit(ctx, by, decide)
	return toksta.Receipt{Change: change}, err
}

// Guarantee: a transfer makes the new owner and demotes the old one in one change.
func TestTransferOwnership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.newest(t).Seq
	if _, err := w.TransferOwnership(t.Context(), person("owner"), in("developer")); err != nil {
		t.Fatal(err)
	}
	c := w.newest(t)
	if c.Seq != before+1 || c.Kind != toksta.ChangeMemberRoleSet || c.MemberID != "mem_developer" || c.Detail["role"] != "developer → owner" {
		t.Errorf("%+v", c)
	}
	if w.role(t, "owner") != toksta.MemberAdmin || w.role(t, "developer") != toksta.MemberOwner {
		t.Errorf("old owner %s, new owner %s", w.role(t, "owner"), w.role(t, "developer"))
	}
	for _, how := range []string{"disabled", "unverified"} {
		w.take(t, "viewer", how)
		_, err := w.TransferOwnership(t.Context(), person("owner2"), in("viewer"))
		w.wantError(t, err, toksta.CodeConflict, "cannot sign in")
		w.take(t, "billing", how)
	}
	_, err := w.TransferOwnership(t.Context(), person("owner2"), in("owner2"))
	w.wantError(t, err, toksta.CodeValidation, "another member")
}

// Guarantee: a removal ends the sessions that show the account, no others, before it returns, and
// treats the keys that the member made as requested, in the same change.
func TestRemove(t *testing.T) {
	t.Parallel()
	for _, choice := range []members.KeyChoice{members.KeepKeys, members.RevokeKeys} {
		w := newWorld(t)
		w.commit(t, store.Mutation{Kind: toksta.ChangeMemberJoined, Memberships: []toksta.Membership{{AccountID: "acct_b", MemberID: "mem_developer", Role: toksta.MemberViewer}}})
		for i, s := range []store.Session{{AccountID: "acct_a", MemberID: "mem_developer"}, {AccountID: "acct_b", MemberID: "mem_developer"}, {AccountID: "acct_a", MemberID: "mem_viewer"}} {
			s.ID, s.ExpiresAt = toksta.Digest{byte(i + 1)}, w.now.Add(time.Hour)
			if err := w.store.PutSession(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		made := func(id toksta.KeyID, by, account string) toksta.Key {
			return toksta.Key{
				ID: id, AccountID: toksta.AccountID(account), Name: string(id), CreatedByID: toksta.MemberID(by),
				Generations: []toksta.Generation{{Number: 1, Digest: toksta.Digest{byte(len(id)), id[len(id)-1]}}},
			}
		}
		w.commit(t, store.Mutation{Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{
			made("key_1", "mem_developer", "acct_a"), made("key_2", "mem_viewer", "acct_a"), made("key_3", "mem_developer", "acct_b"),
		}})
		out, err := w.Remove(t.Context(), person("admin"), members.RemoveRequest{Ref: in("developer"), Keys: choice})
		if err != nil {
			t.Fatal(err)
		}
		live := func(account toksta.AccountID) (ids []toksta.KeyID) {
			keys, err := store.AllKeys(t.Context(), w.store, account)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				if k.RevokedAt.IsZero() {
					ids = append(ids, k.ID)
				}
			}
			return ids
		}
		want := []toksta.KeyID{"key_1", "key_2"}
		if choice == members.RevokeKeys {
			want = want[1:]
		}
		if diff := cmp.Diff(want, live("acct_a")); diff != "" || len(live("acct_b")) != 1 || len(out.Kept)+len(out.Revoked) != 1 {
			t.Errorf("%s: %s, of the other account %v, result %+v", choice, diff, live("acct_b"), out)
		}
		var left []string
		for i := range 3 {
			if s, err := w.store.Session(t.Context(), toksta.Digest{byte(i + 1)}); err == nil {
				left = append(left, fmt.Sprint(s.MemberID, s.AccountID))
			}
		}
		if diff := cmp.Diff([]string{"mem_developeracct_b", "mem_vieweracct_a"}, left); diff != "" {
			t.Error(diff)
		}
		if w.role(t, "developer") != "" {
			t.Error("the removed member has a role")
		}
		before := w.newest(t)
		if _, err := w.Remove(t.Context(), person("admin"), members.RemoveRequest{Ref: in("developer"), Keys: choice}); err != nil || w.newest(t).Seq != before.Seq {
			t.Errorf("a repeated removal: %v, change %d after %d", err, w.newest(t).Seq, before.Seq)
		}
		if !strings.HasPrefix(before.Detail["keys"], "1 ") || before.Detail["email"] != "developer@example.com" {
			t.Errorf("%+v", before)
		}
	}
}

// Guarantee: if sessions cannot be ended, the error says so, and the member has no role anyway.
func TestSessionsNotEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Sessions = brokenSessions{w.store}
	_, err := w.Disable(t.Context(), person("owner"), members.DisableRequest{Ref: in("viewer")})
	w.wantError(t, err, toksta.CodeUnavailable, "could not be ended")
	if w.role(t, "viewer") != "" {
		t.Error("the disabled member has a role")
	}
}

type brokenSessions struct{ store.Sessions }

// EndSessions implements [store.Sessions].
func (brokenSessions) EndSessions(context.Context, store.SessionSet) error {
	return store.ErrUnavailable
}

// Guarantee: a person can leave, is shown nowhere as a member then, and cannot remove the own
// membership by the other way.
func TestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Leave(t.Context(), person("viewer"), "acct_a"); err != nil {
		t.Fatal(err)
	}
	all, err := w.List(t.Context(), "acct_a")
	if err != nil || len(all) != 5 {
		t.Errorf("%d members, %v", len(all), err)
	}
	if places, err := w.Places(t.Context(), "mem_viewer"); err != nil || len(places) != 0 {
		t.Errorf("%+v, %v", places, err)
	}
	_, err = w.Leave(t.Context(), person("viewer"), "acct_b")
	w.wantError(t, err, toksta.CodeNotFound, "member")
	_, err = w.Remove(t.Context(), person("admin"), members.RemoveRequest{Ref: in("admin"), Keys: members.KeepKeys})
	w.wantError(t, err, toksta.CodeConflict, "Leave")
}
