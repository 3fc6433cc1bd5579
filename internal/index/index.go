// Package index maps the digest of a secret to its grant and to the standing of
// its account. It is this node's read copy of keys, accounts and operator keys.
//
// The request path looks up every credential here before the decision. Only
// changefeed writes to the index. A failed look-up does not read from the store,
// so a late row cannot make a revoked key live again. The index does no I/O, makes
// no decision and removes no grant.
//
// Look-ups take no lock and allocate nothing. A million keys take about a hundred
// bytes each, mostly in memory without pointers, which the garbage collector does
// not scan.
package index

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/toksta/toksta/sdk/toksta"
)

// Index serves look-ups from any number of goroutines while one writer at a time
// applies changes.
type Index struct {
	seed     maphash.Seed
	digests  atomic.Pointer[table] // digest → ref of an entry
	entries  slabs[entry]
	texts    arena // key ids
	accounts accounts
	// operators maps a digest to a *toksta.OperatorGrant. There are few, and they are looked up
	// rarely, so a map of the library serves them.
	operators sync.Map

	mu     sync.Mutex // writers
	shared terms
	last   owner // of the last grant; in a snapshot the next grant mostly has the same owner
	common *term // of the last grant without an expiry; the next grant mostly has an equal one
}

// owner is an account id with its ref.
type owner struct {
	id  toksta.AccountID
	ref uint32 // 0: none
}

// entry is one secret, in 56 bytes with a single pointer. Except for its term, an
// entry does not change after it is published. A change of another field creates a
// new entry.
type entry struct {
	digest     toksta.Digest
	term       atomic.Pointer[term]
	id         text
	account    uint32
	generation int32
}

// New returns an empty index that computes standings with c.
func New(c *toksta.Catalog) *Index {
	x := &Index{seed: maphash.MakeSeed(), shared: terms{}}
	x.digests.Store(newTable(0))
	x.accounts.init(c, x.seed)
	return x
}

// Lookup returns the current grant of a secret and the standing of its account. It
// returns false if the secret is unknown. The standing is nil if the account of the
// grant has not been put; such a grant admits nothing.
func (x *Index) Lookup(d toksta.Digest) (toksta.Grant, *toksta.Standing, bool) {
	_, e := x.find(&d, x.hash(&d), x.digests.Load())
	if e == nil {
		return toksta.Grant{}, nil, false
	}
	t := e.term.Load()
	return toksta.Grant{
		KeyID:      toksta.KeyID(x.texts.at(e.id)),
		Limits:     t.limits,
		ExpiresAt:  t.expiresAt,
		Generation: e.generation,
		Revoked:    t.revoked,
	}, x.accounts.standing(e.account), true
}

// Standing returns the standing of an account, or nil if the account has not been
// put.
func (x *Index) Standing(id toksta.AccountID) *toksta.Standing {
	ref := x.accounts.lookup(id)
	if ref == 0 {
		return nil
	}
	return x.accounts.standing(ref)
}

// Len returns the number of secrets and accounts that were put. Each generation
// counts, revoked or not. An account that only grants refer to does not count.
func (x *Index) Len() (keys, accounts int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int(x.digests.Load().used), x.accounts.known
}

// PutAccount replaces the state of an account, in one step for all of its grants.
func (x *Index) PutAccount(a toksta.Account) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.accounts.put(a)
}

// PutGrant sets the grant of d. A secret that was put as revoked stays revoked.
func (x *Index) PutGrant(d toksta.Digest, account toksta.AccountID, g toksta.Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last.ref == 0 || x.last.id != account {
		x.last = owner{account, x.accounts.ensure(account)}
	}
	hash := x.hash(&d)
	at, old := x.find(&d, hash, x.digests.Load())
	if old != nil && old.term.Load().revoked {
		g.Revoked = true
	}
	t := x.intern(g)
	if old != nil && old.account == x.last.ref && old.generation == g.Generation && x.texts.at(old.id) == string(g.KeyID) {
		old.term.Store(t)
		return
	}
	// The entry is complete before a slot refers to it. The replaced entry remains
	// in memory, because readers can still use it; such changes are rare.
	ref, e := x.entries.add()
	e.digest, e.account, e.generation, e.id = d, x.last.ref, g.Generation, x.texts.add(string(g.KeyID))
	e.term.Store(t)
	if old != nil {
		x.digests.Load().slots[at].Store(ref)
		return
	}
	insert(&x.digests, hash, ref, func(r uint32) uint64 { return x.hash(&x.entries.at(r).digest) })
}

// intern returns the term of g. It compares the limits of the last term by their address,
// which grants of one snapshot share, before it looks up their content.
func (x *Index) intern(g toksta.Grant) *term {
	if c := x.common; c != nil && g.ExpiresAt == 0 && g.Limits == c.limits && g.Revoked == c.revoked {
		return c
	}
	t := x.shared.intern(g)
	if t.expiresAt == 0 {
		x.common = t
	}
	return t
}

// find returns the entry of d, which has a hash, and the number of its slot in t. If t
// does not contain d, the entry is nil.
func (x *Index) find(d *toksta.Digest, hash uint64, t *table) (int, *entry) {
	for i := t.start(hash); ; i = t.next(i) {
		ref := t.slots[i].Load()
		if ref == 0 {
			return i, nil
		}
		if e := x.entries.at(ref); e.digest == *d {
			return i, e
		}
	}
}

// hash uses a random seed of this process, so that an attacker cannot choose digests
// with the same probe sequence.
func (x *Index) hash(d *toksta.Digest) uint64 { return maphash.Bytes(x.seed, d[:]) }
