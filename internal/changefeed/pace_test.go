package changefeed

import (
	"context"
	"testing"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// The first look comes when the others may be through, whether they get slower
// or faster; alone it comes at once, and never after the bound.
func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	for _, others := range []time.Duration{0, 2 * time.Millisecond, 300 * time.Microsecond, time.Second, 0} {
		for range 500 {
			p.learn(time.Duration(p.nanoseconds.Load()) >= others)
		}
		got, least := time.Duration(p.nanoseconds.Load()), min(others, slowest)*4/5
		if got < least || got > min(others, slowest)*11/10+time.Microsecond {
			t.Errorf("others take %v: the first look comes after %v", others, got)
		}
	}
}

// looks notes how long after a commit the nodes were looked at first.
type looks struct {
	Store
	committed time.Time
	after     time.Duration
}

func (l *looks) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	c, err := l.Store.Commit(ctx, by, decide)
	l.committed, l.after = time.Now(), 0
	return c, err
}

func (l *looks) ListNodes(ctx context.Context) ([]store.Node, error) {
	if l.after == 0 {
		l.after = time.Since(l.committed)
	}
	return l.Store.ListNodes(ctx)
}

// A wait looks no earlier than that, and learns from what it sees.
func TestPaceOfWait(t *testing.T) {
	t.Parallel()
	s := &looks{Store: openStore(t)}
	n := startNode(t, Config{Store: s, Node: "a"})
	defer n.stop()
	n.pace.nanoseconds.Store(int64(slowest))
	mustCommit(t, n, create(newKey(time.Now(), "a")))
	if s.after < slowest-time.Millisecond {
		t.Errorf("looked after %v", s.after)
	}
	if learnt := time.Duration(n.pace.nanoseconds.Load()); learnt != slowest-slowest/12 {
		t.Errorf("next time after %v", learnt)
	}
}
