package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// tries is the number of requests for known and for unknown addresses each.
const tries = 200

// mailForms are the forms that anybody can send with any address.
var mailForms = map[string]url.Values{
	"/signin/forgot": {},
	"/signup":        {},
	"/signin/link":   {},
}

// Guarantee: a stranger cannot find out whether an address belongs to a member: text, status,
// fields and duration of the response are the same. As a control, the test finds the time of one
// password hash, which an attacker could measure.
func TestAddressesAreNotDisclosed(t *testing.T) {
	for path, form := range mailForms {
		t.Run(path, func(t *testing.T) {
			box, stop := new(mail.Outbox), func() {}
			w := emptyWorld(t, func(c *Config) {
				withMail(t, box)(c)
				c.SignIn.Verification, c.SignIn.Links = signin.VerifyBeforeSignIn, true
				c.SignIn.Mail, stop = runningQueue(t, box)
				c.ClientAddress = eachFromAnotherNetwork()
			})
			w.addMembers(t, tries)
			known, unknown := make([]time.Duration, tries), make([]time.Duration, tries)
			var first string
			for i := range tries {
				for email, took := range map[string][]time.Duration{fmt.Sprintf("known%d@example.com", i): known, fmt.Sprintf("other%d@example.com", i): unknown} {
					form.Set("email", email)
					begun := time.Now()
					res := w.post(t, path, form)
					took[i] = time.Since(begun)
					res.Header.Del("Date")
					if cookies := res.Header["Set-Cookie"]; cookies != nil {
						res.Header.Set("Set-Cookie", fmt.Sprint(len(cookies))) // they contain the time
					}
					got := fmt.Sprint(res.StatusCode, res.Header, strings.ReplaceAll(res.body, email, "EMAIL"))
					if first == "" {
						first = got
					}
					if got != first {
						t.Fatalf("the response for %s differs:\n%s\n%s", email, got, first)
					}
				}
			}
			if differ(known, unknown) {
				t.Errorf("known addresses take %v, unknown ones %v", median(known), median(unknown))
			}
			begun := time.Now()
			argon2.IDKey([]byte(password), []byte("0123456789abcdef"), 2, 19<<10, 1, 32)
			hash := time.Since(begun)
			for i := range known {
				known[i] += hash
			}
			if !differ(known, unknown) {
				t.Errorf("the test does not find a hash of %v", hash)
			}
			stop()
			if n := len(box.List()); n < 100 { // an outbox keeps no more
				t.Errorf("%d mails were sent", n)
			}
		})
	}
}

// differ reports whether an attacker could distinguish two samples: their medians differ by more
// than the noise of a busy machine.
func differ(a, b []time.Duration) bool {
	x, y := median(a), median(b)
	return (x - y).Abs() > 5*time.Millisecond+min(x, y)/4
}

func median(sample []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(sample))[len(sample)/2]
}

// runningQueue returns a queue that sends to box in the background, as in the program. stop sends
// the waiting mails and ends the queue.
func runningQueue(t *testing.T, box *mail.Outbox) (queue *mail.Queue, stop func()) {
	queue = mail.NewQueue(mail.QueueConfig{Sender: box, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- queue.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return queue, stop
}

// eachFromAnotherNetwork returns a client address of its own for each request, so that only the
// limits of addresses apply.
func eachFromAnotherNetwork() func(*http.Request) netip.Addr {
	var n atomic.Uint32
	return func(*http.Request) netip.Addr {
		i := n.Add(1)
		return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
	}
}

// addMembers adds the members known0@example.com and so on.
func (w *world) addMembers(t *testing.T, n int) {
	t.Helper()
	_, err := w.store.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, func(context.Context, store.Reader) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeMemberCreated, AccountID: w.account}
		for i := range n {
			m.Members = append(m.Members, toksta.Member{ID: toksta.MemberID(fmt.Sprintf("mem_%d", i)), Name: "Known", Email: fmt.Sprintf("known%d@example.com", i)})
		}
		return m, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
