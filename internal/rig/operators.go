package rig

import (
	"context"
	"errors"
	"slices"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	// operatorOwners is the number of concurrent callers that change operator keys.
	operatorOwners = 2
	// operatorKeysPerOwner is the number of live operator keys of an owner.
	operatorKeysPerOwner = 3
)

// operatorOwner changes its own operator keys through any node, one call after another. A use
// of such a key asks a node for the rights of the key.
type operatorOwner struct {
	*owner
	name   string // of its keys
	leaked bool   // a creation with an unknown outcome can have left a live key
	live   map[toksta.OperatorKeyID]*operatorKey
}

// operatorKey is a live operator key with its secret.
type operatorKey struct {
	id      toksta.OperatorKeyID
	current *secret
}

// run changes operator keys until ctx ends. It returns an error if the product rejects a valid
// call.
func (o *operatorOwner) run(ctx context.Context) error {
	o.live = map[toksta.OperatorKeyID]*operatorKey{}
	return o.repeat(ctx, o.step)
}

// step makes one change: it revokes keys that no client received, creates a key if there are
// few, or rotates or revokes one.
func (o *operatorOwner) step(ctx context.Context) error {
	switch {
	case o.leaked:
		return o.revokeLeaked(ctx)
	case len(o.live) < operatorKeysPerOwner:
		return o.create(ctx)
	}
	k := o.pick()
	if o.random.IntN(2) == 0 {
		return o.rotate(ctx, k)
	}
	return o.revoke(ctx, k)
}

// pick chooses a live key.
func (o *operatorOwner) pick() *operatorKey {
	ids := make([]toksta.OperatorKeyID, 0, len(o.live))
	for id := range o.live {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return o.live[ids[o.random.IntN(len(ids))]]
}

func newOperatorSecret() *secret {
	return &secret{kind: operatorSecret, key: &key{}, gates: []*gate{{name: "operator secret"}}}
}

// create creates a key and adds its secret to the targets.
func (o *operatorOwner) create(ctx context.Context) error {
	k := &operatorKey{current: newOperatorSecret()}
	err := o.change(ctx, "create operator key", k.current.gates, func(ctx context.Context, c *client.Client) error {
		made, err := c.CreateOperatorKey(ctx, client.CreateOperatorKeyRequest{Name: o.name, Roles: []toksta.Role{toksta.RoleMetrics}})
		k.id, k.current.text = made.Key.ID, made.Secret
		return err
	})
	if err != nil {
		o.leaked = errors.Is(err, errUnknownOutcome)
		return err
	}
	o.live[k.id] = k
	o.targets.add(k.current)
	o.targets.markHot(k.current)
	return nil
}

// rotate replaces the secret of a key. If the outcome is unknown, no client has the new
// secret, so the key is revoked.
func (o *operatorOwner) rotate(ctx context.Context, k *operatorKey) error {
	fresh := newOperatorSecret()
	err := o.replace(ctx, rotation{"rotate operator key", k.current, fresh}, func(ctx context.Context, c *client.Client) (string, error) {
		made, err := c.RotateOperatorKey(ctx, client.RotateOperatorKeyRequest{OperatorKeyRef: client.OperatorKeyRef{Key: k.id}})
		return made.Secret, err
	})
	if errors.Is(err, errUnknownOutcome) {
		return errors.Join(o.revoke(ctx, k), errUnknownOutcome)
	}
	if err == nil {
		k.current = fresh
	}
	return err
}

// revoke revokes a key. No client uses the secret of a leaked key, which has no text.
func (o *operatorOwner) revoke(ctx context.Context, k *operatorKey) error {
	delete(o.live, k.id)
	err := o.change(ctx, "revoke operator key", k.current.gates, func(ctx context.Context, c *client.Client) error {
		_, err := c.RevokeOperatorKey(ctx, client.OperatorKeyRef{Key: k.id})
		return err
	})
	if k.current.text != "" && (err == nil || errors.Is(err, errUnknownOutcome)) {
		o.targets.markHot(k.current, k.current, k.current)
		o.targets.setRevoked(k.current, o.random)
	}
	return err
}

// revokeLeaked revokes the keys of creations with an unknown outcome, because the number of live
// operator keys is limited.
func (o *operatorOwner) revokeLeaked(ctx context.Context) error {
	var page client.OperatorKeyPage
	_, err := o.attempt(ctx, "list operator keys", func(ctx context.Context, c *client.Client) (err error) {
		page, err = c.ListOperatorKeys(ctx, client.ListOperatorKeysRequest{Limit: 1000})
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range page.Keys {
		if k.Name != o.name || o.live[k.ID] != nil {
			continue
		}
		if err := o.revoke(ctx, &operatorKey{id: k.ID, current: newOperatorSecret()}); err != nil {
			return err
		}
	}
	o.leaked = false
	return nil
}
