package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a webhook can be verified with the vendor's own library, with the old and the new
// secret, and describes the event.
func TestSignedWebhook(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	n := newTestNode(t, sqlitetest.Open(t).Store, c, r.URL+"/hook")
	id := n.raise(t, "one")
	c.add(time.Second)
	n.deliver(t)
	all := r.all()
	if len(all) != 1 {
		t.Fatalf("%d webhooks arrived", len(all))
	}
	w := all[0]
	if w.id != id || !strings.HasPrefix(id, "evt_") || w.timestamp != unix(c.now()) || w.header.Get("Content-Type") != "application/json" {
		t.Errorf("id %s, timestamp %s, header %v", w.id, w.timestamp, w.header)
	}
	if len(w.signatures) != 2 || !w.signedBy(t, oldSecret) || !w.signedBy(t, newSecret) {
		t.Errorf("signatures %v do not verify", w.signatures)
	}
	var body struct {
		Type, Timestamp string
		Data            map[string]string
	}
	decode(t, w.body, &body)
	if body.Type != "credits.low" || body.Timestamp != "2026-03-10T09:30:00Z" || body.Data["name"] != "Ädä <&> Co" {
		t.Errorf("body %s", w.body)
	}
	d := n.delivery(t, id)
	if d.State != store.DeliveryDelivered || !strings.HasPrefix(d.Outcome, "responded 204 No Content in ") || d.Attempts != 1 {
		t.Errorf("delivery %+v", d)
	}
}

// Guarantee: a receiver that is down gets ten attempts within about three days, with jitter and
// with the same id and body. Then the event is a dead letter with one line in the log, and a replay
// delivers it under the same id.
func TestRetriesDeadLetterReplay(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	r.respondWith(http.StatusServiceUnavailable)
	n := newTestNode(t, sqlitetest.Open(t).Store, c, r.URL)
	id := n.raise(t, "one")
	for i, pause := range append(pauses[:], 0) {
		n.deliver(t)
		d := n.delivery(t, id)
		if d.Attempts != i+1 || len(r.all()) != i+1 || d.Outcome != "responded 503 Service Unavailable" {
			t.Fatalf("after attempt %d: %+v, %d arrived", i+1, d, len(r.all()))
		}
		if i == len(pauses) {
			break
		}
		wait := d.NextAt.Sub(c.now())
		if d.State != store.DeliveryPending || wait < pause || wait > pause+pause/5 {
			t.Fatalf("after attempt %d: %+v, wait %v", i+1, d, wait)
		}
		c.add(wait - time.Millisecond)
		n.deliver(t)
		if len(r.all()) != i+1 {
			t.Fatalf("attempt %d was too early", i+2)
		}
		c.add(time.Millisecond)
	}
	if d := n.delivery(t, id); d.State != store.DeliveryDead {
		t.Errorf("after the last attempt: %+v", d)
	}
	if log := n.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, id) || !strings.Contains(log, "responded 503") {
		t.Errorf("log: %s", log)
	}

	r.respondWith(http.StatusOK)
	c.add(100 * time.Hour)
	n.deliver(t)
	if len(r.all()) != 10 {
		t.Error("a dead letter was sent again without a replay")
	}
	if due, err := n.Replay(t.Context(), "", "billing"); err != nil || due != 1 {
		t.Fatalf("replay: %d, %v", due, err)
	}
	n.deliver(t)
	all := r.all()
	last := all[len(all)-1]
	if len(all) != 11 || n.delivery(t, id).State != store.DeliveryDelivered {
		t.Fatalf("%d arrived; %+v", len(all), n.delivery(t, id))
	}
	if last.timestamp != unix(c.now()) || !last.signedBy(t, newSecret) {
		t.Errorf("the replay is not signed anew: %+v", last)
	}
	for _, w := range all {
		if w.id != id || string(w.body) != string(all[0].body) {
			t.Errorf("a different webhook arrived: %s %s", w.id, w.body)
		}
	}
}

// Guarantee: Run waits for the pauses too, not only direct calls of deliverDue.
func TestRunKeepsThePauses(t *testing.T) {
	t.Parallel()
	s := sqlitetest.Open(t).Store
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		down := senderFunc(func(context.Context, store.Event) (string, error) {
			tries = append(tries, time.Now())
			return "", errors.New("down")
		})
		n := New(Config{Store: s, Channels: []Channel{{Name: "crm", Sender: down}}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		n.poll = time.Minute
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		if err := n.Raise(ctx, Occurrence{Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: "t"}); err != nil {
			t.Error(err)
		}
		<-time.After(40 * time.Hour) // seven pauses at their longest, but not eight at their shortest
		stop()
		<-done
		if len(tries) != 8 {
			t.Fatalf("%d attempts in 40 hours, want 8", len(tries))
		}
		for i, at := range tries[1:] {
			if wait := at.Sub(tries[i]); wait < pauses[i] || wait > pauses[i]+pauses[i]/5+time.Minute {
				t.Errorf("pause %d lasted %v, want %v", i+1, wait, pauses[i])
			}
		}
	})
}

// senderFunc is a Sender made of a function.
type senderFunc func(context.Context, store.Event) (string, error)

func (c senderFunc) Send(ctx context.Context, e store.Event) (string, error) { return c(ctx, e) }

// Guarantee: if a node dies while sending an event, another node sends it once the claim expires,
// and not before.
func TestCrashBetweenClaimAndDelivery(t *testing.T) {
	t.Parallel()
	r, c, s := receive(t), newClock(), sqlitetest.Open(t).Store
	dead, alive := newTestNode(t, s, c, r.URL), newTestNode(t, s, c, r.URL)
	id := dead.raise(t, "one")
	claimed, err := s.ClaimDeliveries(t.Context(), store.DeliveryClaim{Channel: "billing", Now: c.now(), Until: c.now().Add(claimDuration), Limit: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("%v, %v", claimed, err)
	}
	c.add(claimDuration - time.Second)
	alive.deliver(t)
	if len(r.all()) != 0 {
		t.Fatal("two nodes sent the same event")
	}
	c.add(time.Second)
	alive.deliver(t)
	if all := r.all(); len(all) != 1 || all[0].id != id {
		t.Fatalf("arrived: %+v", all)
	}
	if d := alive.delivery(t, id); d.State != store.DeliveryDelivered || d.Attempts != 2 {
		t.Errorf("delivery %+v", d)
	}
}

// Guarantee: many nodes that detect one occurrence and deliver at once send one webhook.
func TestManyNodesSendOnce(t *testing.T) {
	t.Parallel()
	r, c, s := receive(t), newClock(), sqlitetest.Open(t).Store
	var nodes sync.WaitGroup
	for range 6 {
		n := newTestNode(t, s, c, r.URL)
		nodes.Go(func() {
			for i := range 12 {
				err := n.Raise(t.Context(), Occurrence{Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: fmt.Sprint("token ", i)})
				if err != nil {
					t.Error(err)
				}
				if _, err := n.deliverDue(t.Context(), n.config.Channels[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	nodes.Wait()
	newTestNode(t, s, c, r.URL).deliver(t)
	ids := map[string]int{}
	for _, w := range r.all() {
		ids[w.id]++
	}
	for id, times := range ids {
		if times != 1 {
			t.Errorf("%s arrived %d times", id, times)
		}
	}
	if len(ids) != 12 {
		t.Errorf("%d events arrived, want 12", len(ids))
	}
}

// Guarantee: 410 ends the attempts, Retry-After lengthens a pause, a redirect is not followed, and
// nothing of a response except the status is stored.
func TestReceiverResponses(t *testing.T) {
	t.Parallel()
	elsewhere := receive(t)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		state   store.DeliveryState
		outcome string
		pause   time.Duration
	}{
		"gone":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, store.DeliveryDead, "responded 410 Gone: the receiver is gone", 0},
		"retry after": {respondRetryAfter("3600"), store.DeliveryPending, "responded 429 Too Many Requests", time.Hour},
		"a date":      {respondRetryAfter("Tue, 10 Mar 2026 10:00:00 GMT"), store.DeliveryPending, "responded 429 Too Many Requests", 30 * time.Minute},
		"too long":    {respondRetryAfter("999999999"), store.DeliveryPending, "responded 429 Too Many Requests", maxRetryAfter},
		"nonsense":    {respondRetryAfter("-1"), store.DeliveryPending, "responded 429 Too Many Requests", pauses[0]},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, store.DeliveryPending, "responded 307 Temporary Redirect", pauses[0]},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				fmt.Fprint(w, strings.Repeat("hush ", 10_000))
			}
		}, store.DeliveryDelivered, "responded 200 OK in ", 0},
		"no HTTP":   {respondRaw("hush\r\n\r\n"), store.DeliveryPending, "the response is not HTTP", pauses[0]},
		"no header": {respondRaw("HTTP/1.1 200 OK\r\nhush\r\n\r\n"), store.DeliveryPending, "the response is not HTTP", pauses[0]},
		"hangs up":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, store.DeliveryPending, "EOF", pauses[0]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, clock := receive(t), newClock()
			r.handler = c.handler
			n := newTestNode(t, sqlitetest.Open(t).Store, clock, r.URL)
			id := n.raise(t, "one")
			n.deliver(t)
			d := n.delivery(t, id)
			wait := d.NextAt.Sub(clock.now())
			if d.State != c.state || !strings.HasPrefix(d.Outcome, c.outcome) || c.pause > 0 && (wait < c.pause || wait > c.pause+c.pause/5) {
				t.Errorf("%+v, wait %v", d, wait)
			}
			if all := fmt.Sprint(d, n.log.String()); strings.Contains(all, "hush") {
				t.Errorf("the response of the receiver is stored: %s", all)
			}
		})
	}
	t.Cleanup(func() {
		if len(elsewhere.all()) != 0 {
			t.Error("a redirect was followed")
		}
	})
}

// respondRaw returns a handler that writes text to the connection as it is.
func respondRaw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}
}

func respondRetryAfter(field string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", field)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// Guarantee: an unreachable receiver causes one line in plain words, without a secret or a
// signature.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	n := newTestNode(t, sqlitetest.Open(t).Store, c, r.URL)
	id := n.raise(t, "one")
	r.Close()
	for range len(pauses) + 1 {
		n.deliver(t)
		c.add(48 * time.Hour)
	}
	_, err := n.Test(t.Context(), "billing")
	if toksta.ErrorCode(err) != toksta.CodeUpstreamError {
		t.Errorf("test: %v", err)
	}
	d := n.delivery(t, id)
	if d.State != store.DeliveryDead || !strings.Contains(d.Outcome, "connection refused") || strings.Contains(d.Outcome, "http://") {
		t.Errorf("delivery %+v", d)
	}
	output := fmt.Sprint(d, err, n.log.String(), fmt.Sprintf("%+v", n.config))
	for _, hidden := range []string{oldSecret[6:], newSecret[6:], "v1,"} {
		if strings.Contains(output, hidden) {
			t.Errorf("%s is in: %s", hidden, output)
		}
	}
}

// Guarantee: a vendor can test a webhook without waiting for a real event. The test event is signed
// and not stored.
func TestTest(t *testing.T) {
	t.Parallel()
	r := receive(t)
	n := newTestNode(t, sqlitetest.Open(t).Store, newClock(), r.URL)
	outcome, err := n.Test(t.Context(), "billing")
	if err != nil || !strings.HasPrefix(outcome, "responded 204") {
		t.Errorf("%q, %v", outcome, err)
	}
	all := r.all()
	if len(all) != 1 || !all[0].signedBy(t, oldSecret) || !strings.Contains(string(all[0].body), `"type":"webhook.test"`) {
		t.Errorf("arrived: %+v", all)
	}
	if kept, err := n.List(t.Context(), store.EventQuery{}); err != nil || len(kept) != 0 {
		t.Errorf("kept: %v, %v", kept, err)
	}
	for _, name := range []string{"", "unknown"} {
		if _, err := n.Test(t.Context(), name); err == nil {
			t.Errorf("%q was tested", name)
		}
	}
}

// Guarantee: a stop during an attempt causes no delay: the delivery is due at once on the next
// node.
func TestStopInTheMiddle(t *testing.T) {
	t.Parallel()
	s, c := sqlitetest.Open(t).Store, newClock()
	begun := make(chan struct{})
	hangs := senderFunc(func(ctx context.Context, _ store.Event) (string, error) {
		close(begun)
		<-ctx.Done()
		return "", ctx.Err()
	})
	n := New(Config{Store: s, Channels: []Channel{{Name: "billing", Sender: hangs}}, Now: c.now, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	if err := n.Raise(ctx, Occurrence{Kind: toksta.EventCreditsLow, Token: "t"}); err != nil {
		t.Fatal(err)
	}
	<-begun
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r := receive(t)
	newTestNode(t, s, c, r.URL).deliver(t)
	if len(r.all()) != 1 {
		t.Error("the interrupted delivery is not due at once")
	}
}

// stoppingStore is a store whose node is stopped at the moment when a claim commits.
type stoppingStore struct {
	Store
	stop context.CancelFunc
}

func (s stoppingStore) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) ([]store.Claimed, error) {
	claimed, err := s.Store.ClaimDeliveries(ctx, c)
	if s.stop(); ctx.Err() != nil {
		return nil, ctx.Err() // like a driver whose context ended
	}
	return claimed, err
}

// Guarantee: a node that is stopped during a claim leaves no delivery claimed.
func TestStopDuringClaim(t *testing.T) {
	t.Parallel()
	s, c, r := sqlitetest.Open(t).Store, newClock(), receive(t)
	ctx, stop := context.WithCancel(t.Context())
	n := newTestNode(t, stoppingStore{s, stop}, c, r.URL)
	id := n.raise(t, "one")
	if err := n.Run(ctx); err != nil {
		t.Error(err)
	}
	if d := n.delivery(t, id); d.Outcome != "interrupted: the node stopped" {
		t.Errorf("delivery %+v", d)
	}
	newTestNode(t, s, c, r.URL).deliver(t)
	if d := n.delivery(t, id); d.State != store.DeliveryDelivered {
		t.Errorf("the claimed delivery is not due at once: %+v", d)
	}
}

// Guarantee: a channel receives only its configured kinds, and a channel that hangs does not delay
// another.
func TestChannels(t *testing.T) {
	t.Parallel()
	s, c, r := sqlitetest.Open(t).Store, newClock(), receive(t)
	n := newTestNode(t, s, c, r.URL)
	stuck := make(chan struct{})
	hangs := senderFunc(func(ctx context.Context, _ store.Event) (string, error) { <-stuck; return "", nil })
	n.Service = New(Config{Store: s, Now: c.now, Log: n.config.Log, Channels: []Channel{
		{Name: "stuck", Sender: hangs},
		{Name: "billing", Kinds: []toksta.EventKind{toksta.EventRateLimitHit}, Sender: n.config.Channels[0].Sender},
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	for _, kind := range []toksta.EventKind{toksta.EventCreditsLow, toksta.EventRateLimitHit} {
		if err := n.Raise(ctx, Occurrence{Kind: kind, AccountID: "acct_a", Token: string(kind)}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); len(r.all()) == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing arrived while another channel hangs")
		}
	}
	stop()
	close(stuck)
	<-done
	if all := r.all(); len(all) != 1 || !strings.Contains(string(all[0].body), "rate_limit.hit_often") {
		t.Errorf("arrived: %+v", all)
	}
}
