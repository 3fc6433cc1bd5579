package notices

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// start is the time at which each test begins.
var start = time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)

// database is a store with the changes of a test.
type database interface {
	Store
	store.Mutator
	Flush(ctx context.Context, b store.UsageBatch) error
}

// mailbox is a Sender that keeps the mails.
type mailbox struct {
	mu    sync.Mutex
	mails []mail.Message
	err   error // of the next mails
}

// Send implements the sender of Config.
func (b *mailbox) Send(_ context.Context, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.mails = append(b.mails, m)
	return nil
}

func (b *mailbox) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// take returns the mails since the last call.
func (b *mailbox) take() []mail.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.mails
	b.mails = nil
	return out
}

// clock is the time of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a service with an account and a member of each role.
type world struct {
	*Service
	t     *testing.T
	db    database
	clock *clock
	box   *mailbox
	log   *bytes.Buffer
}

// newWorld returns a service on SQLite. Ann owns the account acct_a, with a member of each
// other role; Zoe has another account.
func newWorld(t *testing.T) *world {
	w := &world{t: t, db: sqlitetest.Open(t), clock: &clock{at: start}, box: &mailbox{}, log: &bytes.Buffer{}}
	w.Service = newService(t, w)
	w.fill()
	return w
}

func newService(t *testing.T, w *world) *Service {
	t.Helper()
	letters, err := mail.NewLetters(mail.LettersConfig{Look: brand.Look{Product: "Acme API"}, PagesURL: "https://keys.acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Store: w.db, Sender: w.box, Letters: letters, PagesURL: "https://keys.acme.example", Dates: Dates{Expiring: []int{7, 1}, Unused: 90},
		Now: w.clock.now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
}

// fill creates the accounts and members, and lets the service pass them without mails.
func (w *world) fill() {
	w.t.Helper()
	m := store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: "acct_a"}
	for _, id := range []toksta.AccountID{"acct_a", "acct_z"} {
		m.Accounts = append(m.Accounts, toksta.Account{
			ID: id, Name: "Account " + string(id[5:]), Plan: "p", Status: toksta.StatusActive, StatusSince: start, CycleAnchor: start, CreatedAt: start,
		})
	}
	for name, role := range map[string]toksta.MemberRole{
		"ann": toksta.MemberOwner, "adam": toksta.MemberAdmin, "dan": toksta.MemberDeveloper, "bill": toksta.MemberBilling, "vic": toksta.MemberViewer, "zoe": toksta.MemberOwner,
	} {
		id, account := toksta.MemberID("mem_"+name), toksta.AccountID("acct_a")
		if name == "zoe" {
			account = "acct_z"
		}
		m.Members = append(m.Members, toksta.Member{ID: id, Email: name + "@customer.example", Name: name, CreatedAt: start})
		m.Memberships = append(m.Memberships, toksta.Membership{AccountID: account, MemberID: id, Role: role, CreatedAt: start})
	}
	w.commit(byOperator, m)
	w.pass()
	w.box.take()
}

var byOperator = toksta.Actor{Kind: toksta.ActorOperator, ID: "op", Name: "root"}

// by returns the actor for a member of the world.
func by(name string) toksta.Actor {
	return toksta.Actor{Kind: toksta.ActorMember, ID: "mem_" + name, Name: name, Address: "198.51.100.7", Agent: "Firefox on macOS"}
}

func (w *world) commit(by toksta.Actor, m store.Mutation) toksta.Change {
	w.t.Helper()
	c, err := w.db.Commit(w.t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// pass writes and sends everything that is due.
func (w *world) pass() {
	w.t.Helper()
	if err := w.followAll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.sendAll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// received passes and returns "recipient: subject" of each new mail, sorted.
func (w *world) received() []string {
	w.t.Helper()
	w.pass()
	var out []string
	for _, m := range w.box.take() {
		out = append(out, m.To+": "+m.Subject)
	}
	slices.Sort(out)
	return out
}

// key returns a key of the account.
func key(id string) toksta.Key {
	return toksta.Key{
		ID: toksta.KeyID(id), AccountID: "acct_a", Name: "name of " + id, CreatedAt: start,
		Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte(id)), Number: 1, CreatedAt: start}},
	}
}

// createKey creates a key as the member.
func (w *world) createKey(actor toksta.Actor, k toksta.Key) {
	w.t.Helper()
	w.commit(actor, store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: k.AccountID, KeyID: k.ID, Keys: []toksta.Key{k}})
}

// items returns "kind" of each notice on the page of a member, sorted, with * if it was not read.
func (w *world) items(member string, role toksta.MemberRole) []string {
	w.t.Helper()
	all, err := w.List(w.t.Context(), boxOf(member), role)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, i := range all {
		mark := "*"
		if i.Read {
			mark = ""
		}
		out = append(out, fmt.Sprint(i.Kind, mark))
	}
	slices.Sort(out)
	return out
}

func boxOf(member string) store.NoticeBox {
	return store.NoticeBox{Member: toksta.MemberID("mem_" + member), Account: "acct_a"}
}
