package notices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/mail/mailtest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a key that expires has a notice 7 days and 1 day before, one that is not used has one
// after 90 days, each once. If no node ran on the day, the notice follows with the right number.
func TestDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := key("key_1")
	k.ExpiresAt = start.AddDate(0, 0, 100)
	w.createKey(byOperator, k)
	w.pass()
	w.box.take()
	var got []string
	for day := range 101 {
		w.clock.add(24 * time.Hour)
		if day > 90 && day < 95 {
			continue // stopped
		}
		for _, line := range w.received() {
			if strings.HasPrefix(line, "dan") {
				got = append(got, fmt.Sprint(day, line[len("dan@customer.example: Acme API"):]))
			}
		}
	}
	same(t, got, "89: the key name of key_1 is not used", "95: the key name of key_1 expires in 4 days", "98: the key name of key_1 expires in 1 day")
}

// Guarantee: many keys with the same date have one notice with their number, so that their mails do not
// use up those of the day. A few keys have one each.
func TestManyDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 7 {
		k := key(fmt.Sprint("key_", i))
		k.ExpiresAt = start.AddDate(0, 0, 10).Add(time.Duration(i/4*48) * time.Hour) // four, and three two days later
		w.createKey(byOperator, k)
	}
	w.pass()
	w.box.take()
	var got []string
	for day := range 101 {
		w.clock.add(24 * time.Hour)
		for _, line := range w.received() {
			if strings.HasPrefix(line, "dan") {
				got = append(got, fmt.Sprint(day, line[len("dan@customer.example: Acme API"):]))
			}
		}
	}
	want := []string{"2: 4 API keys of Account a expire soon", "8: 4 API keys of Account a expire soon"}
	for _, day := range []string{"4: the key name of key_%d expires in 7 days", "10: the key name of key_%d expires in 1 day"} {
		for i := range 3 {
			want = append(want, fmt.Sprintf(day, 4+i))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	same(t, got, want...)
}

// Guarantee: a mail that the server does not accept is tried again with growing pauses for about
// two days; one that it rejects for ever is not. Run waits for the pauses.
func TestRetries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.box.fail(fmt.Errorf("%w: gone", mail.ErrRejected))
	w.commit(by("vic"), store.Mutation{Kind: toksta.ChangeMemberPasswordSet, AccountID: "acct_a", MemberID: "mem_vic"})
	w.pass()
	w.box.fail(nil)
	w.clock.add(100 * time.Hour)
	same(t, w.received())
	if !strings.Contains(w.log.String(), "given up") || strings.Contains(w.log.String(), "@") {
		t.Errorf("log: %s", w.log)
	}

	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		s := New(w.config)
		s.config.Now, s.poll = time.Now, 2*time.Minute
		s.config.Sender = senderFunc(func(context.Context, mail.Message) error {
			tries = append(tries, time.Now())
			return errors.New("down")
		})
		n := store.Notice{ID: "ntc_retry", MemberID: "mem_vic", Kind: string(PasswordChanged), At: time.Now(), Data: []byte("{}"), Token: "retry", Mail: store.MailPending, NextAt: time.Now()}
		if _, err := w.db.WriteNotices(context.Background(), store.NoticeBatch{Notices: []store.Notice{n}}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-time.After(100 * time.Hour)
		stop()
		<-done
		pauses := retryPauses()
		if len(tries) != len(pauses)+1 {
			t.Fatalf("%d attempts, want %d", len(tries), len(pauses)+1)
		}
		for i, at := range tries[1:] {
			if wait := at.Sub(tries[i]); wait < pauses[i] || wait > pauses[i]+pauses[i]/5+2*s.poll {
				t.Errorf("pause %d lasted %v, want %v", i+1, wait, pauses[i])
			}
		}
	})
}

// senderFunc is a sender made of a function.
type senderFunc func(context.Context, mail.Message) error

// Send calls the function.
func (f senderFunc) Send(ctx context.Context, m mail.Message) error { return f(ctx, m) }

// Guarantee: a program that makes many keys does not fill a mailbox. The page has all notices. Mails about the sign-in are not bounded by those about keys.
func TestDailyBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		w.createKey(by("ann"), key(fmt.Sprint("key_", i)))
	}
	w.commit(by("dan"), store.Mutation{Kind: toksta.ChangeMemberPasswordSet, AccountID: "acct_a", MemberID: "mem_dan"})
	count := map[string]int{}
	for _, line := range w.received() {
		to, subject, _ := strings.Cut(line, ": ")
		count[to]++
		if strings.Contains(subject, "password") {
			count["password"]++
		}
	}
	// The attempts at the same time can exceed the bound.
	if n := count["adam@customer.example"]; n < maxDaily || n > maxDaily+maxConcurrent || count["password"] != 1 {
		t.Errorf("mails %v", count)
	}
	if n, err := w.Unread(t.Context(), boxOf("adam"), toksta.MemberAdmin); err != nil || n != 40 {
		t.Errorf("%d on the page, %v", n, err)
	}
	w.clock.add(25 * time.Hour)
	w.createKey(by("ann"), key("key_later"))
	if got := w.received(); len(got) != 3 {
		t.Errorf("a day later: %q", got)
	}
}

// Guarantee: the link in a mail stops the mails of its topic and account, and nothing else, and a
// changed link does nothing.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createKey(by("ann"), key("key_1"))
	w.pass()
	mails := w.box.take()
	at := slices.IndexFunc(mails, func(m mail.Message) bool { return m.To == "dan@customer.example" })
	link, err := url.Parse(mails[at].Unsubscribe)
	if err != nil || link.Scheme != "https" || link.Path != UnsubscribePath || !strings.Contains(mails[at].Text, mails[at].Unsubscribe) {
		t.Fatalf("link %q, %v\n%s", mails[at].Unsubscribe, err, mails[at].Text)
	}
	token := link.Query().Get("token")
	for _, wrong := range []string{"", "x", token[:len(token)-1], token + "A", token[1:], strings.ToUpper(token), token[:10] + "A" + token[11:], token[:30] + "B" + token[31:]} {
		if _, err := w.Unsubscribe(t.Context(), wrong); toksta.ErrorCode(err) != toksta.CodeNotFound {
			t.Errorf("the token %q: %v", wrong, err)
		}
	}
	for range 2 {
		sub, err := w.Unsubscribe(t.Context(), token)
		if err != nil || sub != (Subscription{"mem_dan", "acct_a", TopicKeys}) {
			t.Fatalf("%+v, %v", sub, err)
		}
	}
	w.createKey(by("ann"), key("key_2"))
	w.commit(by("dan"), store.Mutation{Kind: toksta.ChangeMemberPasswordSet, AccountID: "acct_a", MemberID: "mem_dan"})
	same(t, w.received(),
		"adam@customer.example: Acme API: the key name of key_2 was created", "ann@customer.example: Acme API: the key name of key_2 was created",
		"dan@customer.example: Acme API: your password was changed")
	same(t, w.items("dan", toksta.MemberDeveloper), "key_created*", "key_created*", "password_changed*")
	got, err := w.Preferences(t.Context(), boxOf("dan"), toksta.MemberDeveloper)
	if err != nil || len(got) != 4 || got[0] != (Preference{TopicKeys, false}) || !got[1].Mail {
		t.Errorf("preferences %v, %v", got, err)
	}
	if err := w.MarkRead(t.Context(), boxOf("dan"), "ntc_~"); err != nil {
		t.Fatal(err)
	}
	same(t, w.items("dan", toksta.MemberDeveloper), "key_created", "key_created", "password_changed")
}

// Guarantee: without a mail server, notices are only on the page, and no mail is sent later.
func TestWithoutMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.Sender = nil
	w.createKey(by("ann"), key("key_1"))
	if err := w.followAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Service = newService(t, w)
	same(t, w.received())
	same(t, w.items("dan", toksta.MemberDeveloper), "key_created*")
}

// Guarantee: if a node is killed after it wrote notices or claimed mails, another node sends each
// of them, and writes none again.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createKey(by("ann"), key("key_1"))
	if err := w.followAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	claimed, err := w.db.ClaimNotices(t.Context(), store.NoticeClaim{Now: w.clock.now(), Until: w.clock.now().Add(sendClaim), Limit: 2})
	if err != nil || len(claimed) != 2 {
		t.Fatal(len(claimed), err)
	}
	w.Service = newService(t, w)
	if got := w.received(); len(got) != 1 {
		t.Errorf("mails during the claim: %q", got)
	}
	w.clock.add(sendClaim)
	if got := w.received(); len(got) != 2 {
		t.Errorf("mails after the claim: %q", got)
	}
	w.clock.add(time.Hour)
	same(t, w.received())
}

// Guarantee: two nodes on PostgreSQL that follow the log at once send one mail for each notice,
// through a real mail server.
func TestTwoNodesOnPostgres(t *testing.T) {
	t.Parallel()
	address := pgtest.Start(t).NewDatabase(t)
	post := mailtest.Start(t, mailtest.Options{})
	sender, err := mail.New(mail.Config{Server: post.Addr, TLS: mail.NoTLS, From: "Acme <keys@acme.example>"})
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*world
	for i := range 2 {
		db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: address})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		w := &world{t: t, db: db, clock: &clock{at: start}, box: &mailbox{}, log: &bytes.Buffer{}}
		w.Service = newService(t, w)
		w.config.Sender = sender
		if i == 0 {
			w.fill()
		}
		nodes = append(nodes, w)
	}
	const keys = 8
	for i := range keys {
		nodes[i%2].createKey(by("ann"), key(fmt.Sprint("key_", i)))
	}
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			for range 6 {
				if err := errors.Join(n.followAll(t.Context()), n.sendAll(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, m := range post.Mails() {
		subject, _, _ := strings.Cut(m.Data[strings.Index(m.Data, "Subject:"):], "\n")
		seen[m.To+subject]++
	}
	for mail, n := range seen {
		if n != 1 {
			t.Errorf("%s was sent %d times", mail, n)
		}
	}
	if len(seen) != 3*keys {
		t.Errorf("%d mails, want %d: %v", len(seen), 3*keys, seen)
	}
}
