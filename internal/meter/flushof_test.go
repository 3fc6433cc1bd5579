package meter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// recordingSink records the flushed accounts, or fails.
type recordingSink struct {
	unavailable bool
	flushed     map[toksta.AccountID]int64
	epochs      []string
}

func (p *recordingSink) Flush(_ context.Context, b store.UsageBatch) error {
	if p.unavailable {
		return errors.New("unavailable")
	}
	for _, t := range b.Totals {
		p.flushed[t.AccountID] = t.Calls
		p.epochs = append(p.epochs, b.Epoch)
	}
	return nil
}

// Guarantee: a flush of some accounts, even a failed one, does not remove totals from other
// flushes, and the process of every epoch can be identified.
func TestFlushOf(t *testing.T) {
	t.Parallel()
	sink := &recordingSink{flushed: map[toksta.AccountID]int64{}}
	m, err := Open(Config{Dir: t.TempDir(), Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, id := range []toksta.AccountID{"acct_a", "acct_b"} {
		if err := m.Count(Increment{AccountID: id, KeyID: "key_1", Calls: 1, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	some := map[toksta.AccountID]bool{"acct_a": true}
	sink.unavailable = true
	if m.FlushOf(t.Context(), some) == nil {
		t.Error("a failed flush returned no error")
	}
	sink.unavailable = false
	if err := m.FlushOf(t.Context(), some); err != nil || len(sink.flushed) != 1 || sink.flushed["acct_a"] != 1 {
		t.Errorf("flushed %v, %v; want acct_a alone", sink.flushed, err)
	}
	if err := m.Flush(t.Context()); err != nil || sink.flushed["acct_b"] != 1 {
		t.Errorf("then flushed %v, %v; want acct_b too", sink.flushed, err)
	}
	for _, epoch := range sink.epochs {
		if !strings.HasPrefix(epoch, m.Owner()) || len(m.Owner()) != 24 {
			t.Errorf("epoch %s is not of %s", epoch, m.Owner())
		}
	}
}

// hangingSink is a sink whose first flush never returns, like a database behind a network that
// drops every packet.
type hangingSink struct {
	calls int
	done  chan struct{}
}

func (s *hangingSink) Flush(ctx context.Context, _ store.UsageBatch) error {
	if s.calls++; s.calls == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	close(s.done)
	return nil
}

// Guarantee: a flush that hangs times out, so that usage reports and the exchange of charges
// continue once the store is available again.
func TestSinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &hangingSink{done: make(chan struct{})}
		m := open(t, Config{Sink: sink})
		count(t, m, call(noon()))
		go func() { _ = m.Flush(context.Background()) }()
		synctest.Wait()
		if err := m.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-sink.done:
		default:
			t.Error("nothing was flushed")
		}
	})
}
