package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// callLimit limits one call of the operator API.
const callLimit = 15 * time.Second

// owner changes the keys of its own account through any node, one call after
// another. If an outcome remains unknown, it stops changing the key or account: the
// secrets are still used, but further changes would not allow conclusions.
type owner struct {
	history *history
	targets *targets
	nodes   []*node
	random  *rand.Rand
	config  Config

	account toksta.AccountID // "": no account
	terms   map[string]*gate // of the account
	keys    []*key
}

// key is a live key of an owner.
type key struct {
	id      toksta.KeyID
	limits  *gate
	current *secret
}

// errUnknownOutcome means that the outcome of a call is not known.
var errUnknownOutcome = errors.New("the outcome of the call is not known")

// attempt makes one call through one node and records it.
func (o *owner) attempt(ctx context.Context, kind string, do func(context.Context, *client.Client) error) (span, error) {
	at := o.random.IntN(len(o.nodes))
	for tries := 0; o.nodes[at].avoided.Load() && tries < len(o.nodes); tries++ {
		at = (at + 1) % len(o.nodes)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c := call{node: at, kind: kind, narrow: narrowing[kind]}
	c.call = o.history.now()
	err := do(ctx, o.nodes[at].api)
	c.done = o.history.now()
	failure, responded := errors.AsType[*toksta.Error](err)
	switch {
	case err == nil:
	case responded && failure.Code != toksta.CodeUnavailable && failure.Code != toksta.CodeInternal:
		err = fmt.Errorf("%s on node %d: %w", kind, at, err)
	default:
		err = errUnknownOutcome
	}
	c.err = err
	o.history.addCall(c)
	return c.span, err
}

// change makes a call that opens or closes gates. Each attempt is recorded as a
// write, because an attempt with an unknown outcome can take effect late, even after
// the next one. A narrowing with an unknown outcome is repeated until it returns, as
// the product's documentation requires.
func (o *owner) change(ctx context.Context, kind string, gates []*gate, do func(context.Context, *client.Client) error) error {
	open := !narrowing[kind]
	unknown := false
	for {
		for _, g := range gates {
			g.writes = append(g.writes, write{span{o.history.now(), unknownOutcome}, open})
		}
		at, err := o.attempt(ctx, kind, do)
		if err == nil {
			for _, g := range gates {
				g.writes[len(g.writes)-1].span = at
			}
			if unknown {
				return errUnknownOutcome
			}
			return nil
		}
		if !errors.Is(err, errUnknownOutcome) || open || ctx.Err() != nil {
			return err
		}
		unknown = true
		sleep(ctx, 20*time.Millisecond)
	}
}

// setUp creates an account whose terms and rate limit admit all uses.
func (o *owner) setUp(ctx context.Context) error {
	o.keys, o.terms = nil, map[string]*gate{}
	var made client.AccountResponse
	at, err := o.attempt(ctx, "create account", func(ctx context.Context, c *client.Client) (err error) {
		made, err = c.CreateAccount(ctx, client.CreateAccountRequest{Name: "Rig", Plan: "PAYG"})
		return err
	})
	if err != nil {
		return err
	}
	o.account = made.Account.ID
	for _, t := range []string{"plan", "status"} {
		o.terms[t] = &gate{t, []write{{at, true}}}
	}
	o.terms["switch"] = &gate{name: "switch"}
	_, err = o.attempt(ctx, "set rate limit", func(ctx context.Context, c *client.Client) error {
		_, err := c.SetEntitlement(ctx, client.SetEntitlementRequest{
			AccountRef: client.AccountRef{Account: o.account}, Name: "rate_limit_per_minute", Value: "1000000",
		})
		return err
	})
	if err != nil {
		o.account = ""
		return err
	}
	return o.setTerm(ctx, "switch", true)
}

// setTerm opens or closes one gate of the account. If it fails, the owner gives the
// account up.
func (o *owner) setTerm(ctx context.Context, term string, open bool) error {
	ref := client.AccountRef{Account: o.account}
	pick := func(yes, no string) string {
		if open {
			return yes
		}
		return no
	}
	err := o.change(ctx, pick("restore ", "lose ")+term, []*gate{o.terms[term]}, func(ctx context.Context, c *client.Client) (err error) {
		switch term {
		case "plan":
			_, err = c.SetPlan(ctx, client.SetPlanRequest{AccountRef: ref, Plan: toksta.PlanID(pick("PAYG", "FREE"))})
		case "status":
			_, err = c.SetStatus(ctx, client.SetStatusRequest{AccountRef: ref, Status: toksta.Status(pick("active", "canceled"))})
		default:
			_, err = c.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: ref, Name: "api_access_enabled", Value: pick("true", "false")})
		}
		return err
	})
	for _, k := range o.keys {
		o.targets.markHot(k.current)
	}
	if err != nil {
		o.account = ""
	}
	return err
}

// create creates a key and adds its secret to the targets.
func (o *owner) create(ctx context.Context) error {
	k := &key{limits: &gate{name: "limits"}}
	secret := o.newSecret(k)
	err := o.change(ctx, "create", []*gate{secret.gates[0], k.limits}, func(ctx context.Context, c *client.Client) error {
		made, err := c.CreateKey(ctx, client.CreateKeyRequest{Account: o.account, Name: "rig"})
		k.id, secret.text = made.Key.ID, made.Secret
		return err
	})
	if err != nil {
		return err
	}
	k.current = secret
	o.keys = append(o.keys, k)
	o.targets.add(secret)
	o.targets.markHot(secret)
	return nil
}

// newSecret returns a secret of k without text.
func (o *owner) newSecret(k *key) *secret {
	return &secret{key: k, gates: []*gate{{name: "secret"}, k.limits, o.terms["plan"], o.terms["status"], o.terms["switch"]}}
}

// rotate replaces the secret of a key. If the outcome is unknown, no client has the new
// secret, so the key is revoked.
func (o *owner) rotate(ctx context.Context, k *key) error {
	fresh := o.newSecret(k)
	err := o.replace(ctx, rotation{"rotate", k.current, fresh}, func(ctx context.Context, c *client.Client) (string, error) {
		made, err := c.RotateKey(ctx, client.RotateKeyRequest{KeyRef: client.KeyRef{Key: k.id}})
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

// rotation is a call that closes the old secret and opens the fresh one.
type rotation struct {
	kind       string
	old, fresh *secret
}

// replace makes the call of a rotation. do returns the text of the fresh secret.
func (o *owner) replace(ctx context.Context, r rotation, do func(context.Context, *client.Client) (string, error)) error {
	old, fresh := r.old, r.fresh
	gates := []*gate{old.gates[0], fresh.gates[0]}
	began := o.history.now()
	for i, g := range gates {
		g.writes = append(g.writes, write{span{began, unknownOutcome}, i == 1})
	}
	at, err := o.attempt(ctx, r.kind, func(ctx context.Context, c *client.Client) (err error) {
		fresh.text, err = do(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range gates {
		g.writes[len(g.writes)-1].span = at
	}
	o.targets.add(fresh)
	o.targets.markHot(old, old, old, fresh)
	o.targets.setRevoked(old, o.random)
	return nil
}

// revoke revokes keys, several in one call.
func (o *owner) revoke(ctx context.Context, keys ...*key) error {
	kind, gates := "revoke", []*gate{}
	var ids []toksta.KeyID
	var secrets []*secret
	for _, k := range keys {
		gates, ids, secrets = append(gates, k.current.gates[0]), append(ids, k.id), append(secrets, k.current)
	}
	if len(keys) > 1 {
		kind = "revoke many"
	}
	err := o.change(ctx, kind, gates, func(ctx context.Context, c *client.Client) (err error) {
		if len(ids) == 1 {
			_, err = c.RevokeKey(ctx, client.KeyRef{Key: ids[0]})
		} else {
			_, err = c.RevokeKeys(ctx, client.RevokeManyRequest{Keys: ids})
		}
		return err
	})
	if err == nil || errors.Is(err, errUnknownOutcome) {
		o.targets.markHot(secrets...)
		for _, s := range secrets {
			o.targets.setRevoked(s, o.random)
		}
	}
	return err
}

// limit sets scopes or networks that exclude every use of the rig, or removes them.
func (o *owner) limit(ctx context.Context, k *key, open bool) error {
	r := client.SetLimitsRequest{KeyRef: client.KeyRef{Key: k.id}}
	scopes, networks := []toksta.Family{}, []netip.Prefix{}
	kind := "lift limits"
	switch {
	case open:
		r.Scopes, r.Networks = &scopes, &networks
	case o.random.IntN(2) == 0:
		kind = "narrow scopes"
		scopes = append(scopes, "job")
		r.Scopes = &scopes
	default:
		kind = "narrow networks"
		networks = append(networks, netip.MustParsePrefix("192.0.2.0/24"))
		r.Networks = &networks
	}
	err := o.change(ctx, kind, []*gate{k.limits}, func(ctx context.Context, c *client.Client) error {
		_, err := c.SetKeyLimits(ctx, r)
		return err
	})
	o.targets.markHot(k.current)
	return err
}
