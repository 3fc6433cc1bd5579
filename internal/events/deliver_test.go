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
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: what arrives is what the vendor's own library verifies, by the old
// secret and by the new one, and says what happened.
func TestSignedWebhook(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	n := newStation(t, openStore(t), c, r.URL+"/hook")
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
	if d.State != store.DeliveryDelivered || !strings.HasPrefix(d.Outcome, "answered 204 No Content in ") || d.Attempts != 1 {
		t.Errorf("delivery %+v", d)
	}
}

// Guarantee: a receiver that is down is tried ten times within three days or so,
// never all at once, with the same id and body each time; then the event is a
// dead letter with one line in the log, and a replay delivers it, id and all.
func TestRetriesDeadLetterReplay(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	r.answers(http.StatusServiceUnavailable)
	n := newStation(t, openStore(t), c, r.URL)
	id := n.raise(t, "one")
	for i, pause := range append(pauses[:], 0) {
		n.deliver(t)
		d := n.delivery(t, id)
		if d.Attempts != i+1 || len(r.all()) != i+1 || d.Outcome != "answered 503 Service Unavailable" {
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
			t.Fatalf("attempt %d came too early", i+2)
		}
		c.add(time.Millisecond)
	}
	if d := n.delivery(t, id); d.State != store.DeliveryDead {
		t.Errorf("in the end: %+v", d)
	}
	if log := n.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, id) || !strings.Contains(log, "answered 503") {
		t.Errorf("the log says: %s", log)
	}

	r.answers(http.StatusOK)
	c.add(100 * time.Hour)
	n.deliver(t)
	if len(r.all()) != 10 {
		t.Error("a dead letter was tried again by itself")
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
			t.Errorf("another webhook came: %s %s", w.id, w.body)
		}
	}
}

// Guarantee: the pauses are kept by the running loop too, and not only by
// whoever calls it by hand.
func TestRunKeepsThePauses(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		down := carrier(func(context.Context, store.Event) (string, error) {
			tries = append(tries, time.Now())
			return "", errors.New("down")
		})
		n := New(Config{Store: s, Channels: []Channel{{Name: "crm", Carrier: down}}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		n.poll = time.Minute
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		if err := n.Raise(ctx, Occurrence{Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: "t"}); err != nil {
			t.Error(err)
		}
		<-time.After(40 * time.Hour) // seven pauses at their longest, and not eight at their shortest
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

// carrier is a receiver that is a function.
type carrier func(context.Context, store.Event) (string, error)

func (c carrier) Carry(ctx context.Context, e store.Event) (string, error) { return c(ctx, e) }

// Guarantee: an event whose node died in the middle of sending it is sent by
// another node once the claim ends, and not before.
func TestCrashBetweenClaimAndDelivery(t *testing.T) {
	t.Parallel()
	r, c, s := receive(t), newClock(), openStore(t)
	dead, alive := newStation(t, s, c, r.URL), newStation(t, s, c, r.URL)
	id := dead.raise(t, "one")
	claimed, err := s.ClaimDeliveries(t.Context(), store.DeliveryClaim{Channel: "billing", Now: c.now(), Until: c.now().Add(claimTime), Limit: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("%v, %v", claimed, err)
	}
	c.add(claimTime - time.Second)
	alive.deliver(t)
	if len(r.all()) != 0 {
		t.Fatal("two nodes send one event at once")
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

// Guarantee: many nodes that notice one occurrence, and deliver at once, send
// one webhook.
func TestManyNodesSendOnce(t *testing.T) {
	t.Parallel()
	r, c, s := receive(t), newClock(), openStore(t)
	var nodes sync.WaitGroup
	for range 6 {
		n := newStation(t, s, c, r.URL)
		nodes.Go(func() {
			for i := range 12 {
				err := n.Raise(t.Context(), Occurrence{Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: fmt.Sprint("token ", i)})
				if err != nil {
					t.Error(err)
				}
				if _, err := n.round(t.Context(), n.config.Channels[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	nodes.Wait()
	newStation(t, s, c, r.URL).deliver(t)
	ids := map[string]int{}
	for _, w := range r.all() {
		ids[w.id]++
	}
	for id, times := range ids {
		if times != 1 {
			t.Errorf("%s came %d times", id, times)
		}
	}
	if len(ids) != 12 {
		t.Errorf("%d events came, want 12", len(ids))
	}
}

// Guarantee: what a receiver says is obeyed: 410 ends the trying, Retry-After
// lengthens a pause, a redirect leads nowhere, and nothing that it answers is
// kept.
func TestWhatReceiversAnswer(t *testing.T) {
	t.Parallel()
	elsewhere := receive(t)
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		state   store.DeliveryState
		outcome string
		pause   time.Duration
	}{
		"gone":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, store.DeliveryDead, "answered 410 Gone: the receiver is gone", 0},
		"retry after": {after("3600"), store.DeliveryPending, "answered 429 Too Many Requests", time.Hour},
		"a date":      {after("Tue, 10 Mar 2026 10:00:00 GMT"), store.DeliveryPending, "answered 429 Too Many Requests", 30 * time.Minute},
		"too long":    {after("999999999"), store.DeliveryPending, "answered 429 Too Many Requests", longest},
		"nonsense":    {after("-1"), store.DeliveryPending, "answered 429 Too Many Requests", pauses[0]},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, store.DeliveryPending, "answered 307 Temporary Redirect", pauses[0]},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				fmt.Fprint(w, strings.Repeat("hush ", 10_000))
			}
		}, store.DeliveryDelivered, "answered 200 OK in ", 0},
		"no HTTP":   {says("hush\r\n\r\n"), store.DeliveryPending, "the answer is no HTTP", pauses[0]},
		"no header": {says("HTTP/1.1 200 OK\r\nhush\r\n\r\n"), store.DeliveryPending, "the answer is no HTTP", pauses[0]},
		"hangs up":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, store.DeliveryPending, "EOF", pauses[0]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, clock := receive(t), newClock()
			r.answer = c.answer
			n := newStation(t, openStore(t), clock, r.URL)
			id := n.raise(t, "one")
			n.deliver(t)
			d := n.delivery(t, id)
			wait := d.NextAt.Sub(clock.now())
			if d.State != c.state || !strings.HasPrefix(d.Outcome, c.outcome) || c.pause > 0 && (wait < c.pause || wait > c.pause+c.pause/5) {
				t.Errorf("%+v, wait %v", d, wait)
			}
			if all := fmt.Sprint(d, n.log.String()); strings.Contains(all, "hush") {
				t.Errorf("what the receiver answered is kept: %s", all)
			}
		})
	}
	t.Cleanup(func() {
		if len(elsewhere.all()) != 0 {
			t.Error("a redirect was followed")
		}
	})
}

// says answers with bytes of its own.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}
}

func after(field string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", field)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// Guarantee: a receiver that is not there costs a line of plain words, in which
// no secret and no signature stands.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r, c := receive(t), newClock()
	n := newStation(t, openStore(t), c, r.URL)
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
	said := fmt.Sprint(d, err, n.log.String(), fmt.Sprintf("%+v", n.config))
	for _, hidden := range []string{oldSecret[6:], newSecret[6:], "v1,"} {
		if strings.Contains(said, hidden) {
			t.Errorf("%s stands in: %s", hidden, said)
		}
	}
}

// Guarantee: a vendor sees whether the wiring works without waiting for a
// customer to run out of credits; the trial is signed, and leaves nothing.
func TestTest(t *testing.T) {
	t.Parallel()
	r := receive(t)
	n := newStation(t, openStore(t), newClock(), r.URL)
	outcome, err := n.Test(t.Context(), "billing")
	if err != nil || !strings.HasPrefix(outcome, "answered 204") {
		t.Errorf("%q, %v", outcome, err)
	}
	all := r.all()
	if len(all) != 1 || !all[0].signedBy(t, oldSecret) || !strings.Contains(string(all[0].body), `"type":"webhook.test"`) {
		t.Errorf("arrived: %+v", all)
	}
	if kept, err := n.List(t.Context(), store.EventQuery{}); err != nil || len(kept) != 0 {
		t.Errorf("kept: %v, %v", kept, err)
	}
	for _, name := range []string{"", "nobody"} {
		if _, err := n.Test(t.Context(), name); err == nil {
			t.Errorf("%q was tested", name)
		}
	}
}

// Guarantee: a stop in the middle of an attempt costs no minute: the next node
// goes on at once.
func TestStopInTheMiddle(t *testing.T) {
	t.Parallel()
	s, c := openStore(t), newClock()
	begun := make(chan struct{})
	hangs := carrier(func(ctx context.Context, _ store.Event) (string, error) {
		close(begun)
		<-ctx.Done()
		return "", ctx.Err()
	})
	n := New(Config{Store: s, Channels: []Channel{{Name: "billing", Carrier: hangs}}, Now: c.now, Log: slog.New(slog.DiscardHandler)})
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
	newStation(t, s, c, r.URL).deliver(t)
	if len(r.all()) != 1 {
		t.Error("the interrupted delivery is not due at once")
	}
}

// stopping is a store whose node is told to stop at the moment of a claim's commit.
type stopping struct {
	Store
	stop context.CancelFunc
}

func (s stopping) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) ([]store.Claimed, error) {
	claimed, err := s.Store.ClaimDeliveries(ctx, c)
	if s.stop(); ctx.Err() != nil {
		return nil, ctx.Err() // as a driver does that was not waiting any more
	}
	return claimed, err
}

// Guarantee: a node that is stopped while it claims leaves nothing claimed.
func TestStopDuringClaim(t *testing.T) {
	t.Parallel()
	s, c, r := openStore(t), newClock(), receive(t)
	ctx, stop := context.WithCancel(t.Context())
	n := newStation(t, stopping{s, stop}, c, r.URL)
	id := n.raise(t, "one")
	if err := n.Run(ctx); err != nil {
		t.Error(err)
	}
	if d := n.delivery(t, id); d.Outcome != "interrupted: the node stopped" {
		t.Errorf("delivery %+v", d)
	}
	newStation(t, s, c, r.URL).deliver(t)
	if d := n.delivery(t, id); d.State != store.DeliveryDelivered {
		t.Errorf("what was claimed is not due at once: %+v", d)
	}
}

// Guarantee: an endpoint gets the kinds that it was configured for and no
// others, and a channel that hangs does not hold up another.
func TestChannels(t *testing.T) {
	t.Parallel()
	s, c, r := openStore(t), newClock(), receive(t)
	n := newStation(t, s, c, r.URL)
	stuck := make(chan struct{})
	hangs := carrier(func(ctx context.Context, _ store.Event) (string, error) { <-stuck; return "", nil })
	n.Service = New(Config{Store: s, Now: c.now, Log: n.config.Log, Channels: []Channel{
		{Name: "stuck", Carrier: hangs},
		{Name: "billing", Kinds: []toksta.EventKind{toksta.EventRateLimitHit}, Carrier: n.config.Channels[0].Carrier},
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
			t.Fatal("nothing arrived beside a channel that hangs")
		}
	}
	stop()
	close(stuck)
	<-done
	if all := r.all(); len(all) != 1 || !strings.Contains(string(all[0].body), "rate_limit.hit_often") {
		t.Errorf("arrived: %+v", all)
	}
}
