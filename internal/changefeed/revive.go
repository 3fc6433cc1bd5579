package changefeed

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// restorer is the actor of revocations that repair a restored database.
var restorer = toksta.Actor{Kind: toksta.ActorSystem, Name: "restore"}

// revived lists the keys with secrets that are live in the store although this node has a
// tombstone of them.
type revived struct {
	keys         []toksta.KeyID
	operatorKeys []toksta.OperatorKeyID
}

func (r *revived) add(more revived) {
	r.keys = append(r.keys, more.keys...)
	r.operatorKeys = append(r.operatorKeys, more.operatorKeys...)
}

// revokeRevived revokes in the store the secrets that have a tombstone here and are
// live in the store, because the database was restored from an older backup. This
// node rejects these secrets already; the commit informs the other nodes. It does
// not wait for them, because no call has promised the revocation. It runs before the
// node takes its first lease. The caller holds mu.
func (f *Feed) revokeRevived(ctx context.Context) error {
	f.revived = revived{unique(f.revived.keys), unique(f.revived.operatorKeys)}
	if keys := f.revived.keys; len(keys) > 0 {
		if err := f.commitRevived(ctx, "keys", len(keys), f.rerevoke(keys)); err != nil {
			return err
		}
		f.revived.keys = nil
	}
	if keys := f.revived.operatorKeys; len(keys) > 0 {
		if err := f.commitRevived(ctx, "operator_keys", len(keys), f.rerevokeOperatorKeys(keys)); err != nil {
			return err
		}
		f.revived.operatorKeys = nil
	}
	return nil
}

// commitRevived commits the revocation of n keys of one sort, logs it and notifies Run.
func (f *Feed) commitRevived(ctx context.Context, sort string, n int, decide store.Decide) error {
	change, err := f.commit(ctx, restorer, decide)
	if err != nil {
		return fmt.Errorf("revoke again the secrets that a restored database contains: %w", err)
	}
	f.log.LogAttrs(ctx, slog.LevelError, "the database was restored with secrets that had been revoked; they were revoked again",
		slog.Int(sort, n), slog.Int64("change", change.Seq))
	f.notify(change.Seq)
	return nil
}

// unique returns the ids sorted and without duplicates.
func unique[ID ~string](ids []ID) []ID {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// wentBack explains a revocation that a restore requires, in the audit trail.
const wentBack = "revoked before the database went back in time"

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
			if f.markRevoked(k.Generations, &k.RevokedAt) {
				m.Keys = append(m.Keys, k)
			}
		}
		if len(m.Keys) == 0 {
			return store.Mutation{}, nil
		}
		m.Detail = map[string]string{"keys": strconv.Itoa(len(m.Keys)), "selected": wentBack}
		return m, nil
	}
}

// rerevokeOperatorKeys does the same for operator keys.
func (f *Feed) rerevokeOperatorKeys(ids []toksta.OperatorKeyID) store.Decide {
	return func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeOperatorKeyRevoked}
		for _, id := range ids {
			k, err := r.OperatorKey(ctx, id)
			if err != nil {
				return store.Mutation{}, fmt.Errorf("read operator key %s: %w", id, err)
			}
			if f.markRevoked(k.Generations, &k.RevokedAt) {
				m.OperatorKeys = append(m.OperatorKeys, k)
			}
		}
		switch len(m.OperatorKeys) {
		case 0:
			return store.Mutation{}, nil
		case 1:
			m.OperatorKeyID = m.OperatorKeys[0].ID
		}
		names := make([]string, len(m.OperatorKeys))
		for i, k := range m.OperatorKeys {
			names[i] = k.Name
		}
		slices.Sort(names)
		m.Detail = map[string]string{"name": strings.Join(names, ", "), "selected": wentBack}
		return m, nil
	}
}

// record records tombstones for the revoked generations of keys that this process
// has written. It does not rely on following, because a node that is not registered
// does not follow.
func (f *Feed) record(m store.Mutation) error {
	for _, k := range m.OperatorKeys {
		for i, g := range k.Grants() {
			if g.Revoked {
				f.tombstones.add(k.Generations[i].Digest)
			}
		}
	}
	for _, k := range m.Keys {
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

// markRevoked revokes, as of now, the generations of a key that have a tombstone, and the
// whole key if the newest generation has one. It reports whether it changed anything.
func (f *Feed) markRevoked(generations []toksta.Generation, revokedAt *time.Time) (changed bool) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range generations {
		g := &generations[i]
		if !f.tombstones.has(g.Digest) || !g.RevokedAt.IsZero() || !revokedAt.IsZero() {
			continue
		}
		changed = true
		if i == len(generations)-1 {
			*revokedAt = now
		} else {
			g.RevokedAt = now
		}
	}
	return changed
}
