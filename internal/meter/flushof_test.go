package meter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// picky is a sink that remembers who was flushed, or fails.
type picky struct {
	away    bool
	flushed map[toksta.AccountID]int64
	epochs  []string
}

func (p *picky) Flush(_ context.Context, b store.UsageBatch) error {
	if p.away {
		return errors.New("away")
	}
	for _, t := range b.Totals {
		p.flushed[t.AccountID] = t.Calls
		p.epochs = append(p.epochs, b.Epoch)
	}
	return nil
}

// Guarantee: a flush of some accounts, even one that fails, costs no other flush
// a total, and every epoch can be told to be its process's own.
func TestFlushOf(t *testing.T) {
	t.Parallel()
	sink := &picky{flushed: map[toksta.AccountID]int64{}}
	m, err := Open(Config{Dir: t.TempDir(), Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, id := range []toksta.AccountID{"acct_a", "acct_b"} {
		if err := m.Count(Event{AccountID: id, KeyID: "key_1", Calls: 1, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	some := map[toksta.AccountID]bool{"acct_a": true}
	sink.away = true
	if m.FlushOf(t.Context(), some) == nil {
		t.Error("a flush that failed says nothing")
	}
	sink.away = false
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

// stuck is a sink whose first flush is never answered, like a database behind
// a network that drops every packet.
type stuck struct {
	asked int
	got   chan struct{}
}

func (s *stuck) Flush(ctx context.Context, _ store.UsageBatch) error {
	if s.asked++; s.asked == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	close(s.got)
	return nil
}

// Guarantee: a flush that hangs is given up, so that usage reports and what
// other nodes are told of charges go on once the store is back.
func TestSinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &stuck{got: make(chan struct{})}
		m := open(t, Config{Sink: sink})
		count(t, m, call(noon()))
		go func() { _ = m.Flush(context.Background()) }()
		synctest.Wait()
		if err := m.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-sink.got:
		default:
			t.Error("nothing was flushed")
		}
	})
}
