package changefeed

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// restorer is who revokes what a restored database brought back.
var restorer = toksta.Actor{Kind: toksta.ActorSystem, Name: "restore"}

// revokeAgain ends in the store what this node once saw revoked and what the
// store, back from an older backup, calls live. This node refuses it already;
// the others learn of it as of any change. A node does this before it takes
// its first lease, and nobody waits for it: no call has returned that promised
// it. The caller holds mu.
func (f *Feed) revokeAgain(ctx context.Context) error {
	if len(f.revived) == 0 {
		return nil
	}
	slices.Sort(f.revived)
	f.revived = slices.Compact(f.revived)
	change, err := f.commit(ctx, restorer, f.stillDead(f.revived))
	if err != nil {
		return fmt.Errorf("revoke again what an older database brought back: %w", err)
	}
	f.log.LogAttrs(ctx, slog.LevelError, "secrets that were revoked came back with an older database and were revoked again",
		slog.Int("keys", len(f.revived)), slog.Int64("change", change.Seq))
	f.revived = nil
	f.hear(change.Seq)
	return nil
}

// stillDead revokes each generation that has a tombstone, and a key with it
// when that is its newest: a later one may be in nobody's hands.
func (f *Feed) stillDead(ids []toksta.KeyID) store.Decide {
	return func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.KeysRevokedTogether}
		for _, id := range ids {
			k, err := r.Key(ctx, "", id)
			if err != nil {
				return store.Mutation{}, fmt.Errorf("read key %s: %w", id, err)
			}
			if f.bury(&k, time.Now().UTC().Truncate(time.Millisecond)) {
				m.Keys = append(m.Keys, k)
			}
		}
		if len(m.Keys) == 0 {
			return store.Mutation{}, nil
		}
		m.Detail = map[string]string{"keys": strconv.Itoa(len(m.Keys)), "selected": "revoked before the database went back in time"}
		return m, nil
	}
}

// record notes the revoked generations of keys that this process has written.
// It does not leave that to following: a node that is no member follows nothing.
func (f *Feed) record(keys []toksta.Key) error {
	for _, k := range keys {
		for i, g := range k.Grants() {
			if g.Revoked {
				f.tomb.add(k.Generations[i].Digest)
			}
		}
	}
	return f.tomb.flush()
}

// flushTombstones tries to write the pending tombstones, and logs when that
// begins and ceases to fail. The caller holds mu.
func (f *Feed) flushTombstones(ctx context.Context) {
	err := f.tomb.flush()
	switch {
	case err != nil && !f.unrecorded:
		f.log.LogAttrs(ctx, slog.LevelError, "revocations are in effect, but a restored backup could undo them", slog.Any("error", err))
	case err == nil && f.unrecorded:
		f.log.LogAttrs(ctx, slog.LevelInfo, "every revocation is recorded again", slog.String("file", f.tomb.path))
	}
	f.unrecorded = err != nil
}

// bury marks what has a tombstone as revoked, and reports whether that was
// news.
func (f *Feed) bury(k *toksta.Key, now time.Time) (news bool) {
	for i := range k.Generations {
		g := &k.Generations[i]
		if !f.tomb.has(g.Digest) || !g.RevokedAt.IsZero() || !k.RevokedAt.IsZero() {
			continue
		}
		news = true
		if i == len(k.Generations)-1 {
			k.RevokedAt = now
		} else {
			g.RevokedAt = now
		}
	}
	return news
}
