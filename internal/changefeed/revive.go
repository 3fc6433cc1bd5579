package changefeed

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// restorer is the actor of revocations that repair a restored database.
var restorer = toksta.Actor{Kind: toksta.ActorSystem, Name: "restore"}

// revokeRevived revokes in the store the secrets that have a tombstone here and are
// live in the store, because the database was restored from an older backup. This
// node rejects these secrets already; the commit informs the other nodes. It does
// not wait for them, because no call has promised the revocation. It runs before the
// node takes its first lease. The caller holds mu.
func (f *Feed) revokeRevived(ctx context.Context) error {
	if len(f.revived) == 0 {
		return nil
	}
	slices.Sort(f.revived)
	f.revived = slices.Compact(f.revived)
	change, err := f.commit(ctx, restorer, f.rerevoke(f.revived))
	if err != nil {
		return fmt.Errorf("revoke again the secrets that a restored database contains: %w", err)
	}
	f.log.LogAttrs(ctx, slog.LevelError, "the database was restored with secrets that had been revoked; they were revoked again",
		slog.Int("keys", len(f.revived)), slog.Int64("change", change.Seq))
	f.revived = nil
	f.notify(change.Seq)
	return nil
}

// rerevoke revokes every generation that has a tombstone. If it is the newest
// generation, the whole key is revoked, because the database can have lost a newer
// generation.
func (f *Feed) rerevoke(ids []toksta.KeyID) store.Decide {
	return func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeKeysRevoked}
		for _, id := range ids {
			k, err := r.Key(ctx, "", id)
			if err != nil {
				return store.Mutation{}, fmt.Errorf("read key %s: %w", id, err)
			}
			if f.markRevoked(&k, time.Now().UTC().Truncate(time.Millisecond)) {
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

// record records tombstones for the revoked generations of keys that this process
// has written. It does not rely on following, because a node that is not registered
// does not follow.
func (f *Feed) record(keys []toksta.Key) error {
	for _, k := range keys {
		for i, g := range k.Grants() {
			if g.Revoked {
				f.tombstones.add(k.Generations[i].Digest)
			}
		}
	}
	return f.tombstones.flush()
}

// flushTombstones writes the pending tombstones, and logs the first failure and the
// first success after a failure. The caller holds mu.
func (f *Feed) flushTombstones(ctx context.Context) {
	err := f.tombstones.flush()
	switch {
	case err != nil && !f.unrecorded:
		f.log.LogAttrs(ctx, slog.LevelError, "revocations are in effect, but a restored backup could undo them", slog.Any("error", err))
	case err == nil && f.unrecorded:
		f.log.LogAttrs(ctx, slog.LevelInfo, "every revocation is recorded again", slog.String("file", f.tombstones.path))
	}
	f.unrecorded = err != nil
}

// markRevoked revokes, as of now, the generations of k that have a tombstone, and the
// whole key if the newest generation has one. It reports whether it changed k.
func (f *Feed) markRevoked(k *toksta.Key, now time.Time) (changed bool) {
	for i := range k.Generations {
		g := &k.Generations[i]
		if !f.tombstones.has(g.Digest) || !g.RevokedAt.IsZero() || !k.RevokedAt.IsZero() {
			continue
		}
		changed = true
		if i == len(k.Generations)-1 {
			k.RevokedAt = now
		} else {
			g.RevokedAt = now
		}
	}
	return changed
}
