package operatorkeys

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// flushEvery is the time between two records of last uses.
const flushEvery = time.Minute

// Uses collects the last uses of operator keys in memory and records them once a minute, so
// that a use costs no write. It is safe for concurrent use.
type Uses struct {
	store store.OperatorUses
	log   *slog.Logger

	mu      sync.Mutex
	pending map[toksta.OperatorKeyID]toksta.OperatorUse
}

// NewUses returns a collection that records its uses in s while Run runs.
func NewUses(s store.OperatorUses, log *slog.Logger) *Uses {
	return &Uses{store: s, log: log, pending: map[toksta.OperatorKeyID]toksta.OperatorUse{}}
}

// Used notes a use of an operator key. It never waits for the database.
func (u *Uses) Used(id toksta.OperatorKeyID, at time.Time, address string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.pending[id].At) {
		u.pending[id] = toksta.OperatorUse{At: at, Address: address}
	}
}

// Run records the uses until ctx ends, and then once more. A failure is logged, and the next
// record includes its uses. Run always returns nil.
func (u *Uses) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			u.flush(last)
			return nil
		case <-tick.C:
			u.flush(ctx)
		}
	}
}

// flush records the pending uses.
func (u *Uses) flush(ctx context.Context) {
	u.mu.Lock()
	uses := u.pending
	u.pending = map[toksta.OperatorKeyID]toksta.OperatorUse{}
	u.mu.Unlock()
	if len(uses) == 0 {
		return
	}
	if err := u.store.TouchOperatorKeys(ctx, uses); err != nil {
		u.log.LogAttrs(ctx, slog.LevelWarn, "the last uses of operator keys could not be recorded", slog.Any("error", err))
		for id, use := range uses {
			u.Used(id, use.At, use.Address)
		}
	}
}
