// Package index is this node's read copy: from the digest of a secret to the
// grant it stands for and the standing of its account.
//
// It stands on the request path between httpauth and the decision, and is
// filled by the changefeed alone: there is no fill on a miss, so a row that
// comes late can never bring a revoked key back. It never does I/O, never
// decides anything and never forgets a grant.
//
// Look-ups take no lock and allocate nothing. A million keys take about a
// hundred bytes each, most of them in memory that the garbage collector does
// not have to follow.
package index

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/toksta/toksta"
)

// Index answers look-ups from any number of goroutines while one writer at a
// time applies changes.
type Index struct {
	seed     maphash.Seed
	digests  atomic.Pointer[table] // digest → ref of an entry
	entries  slabs[entry]
	texts    arena // key ids
	accounts accounts

	mu     sync.Mutex // writers
	shared terms
	last   owner // of the last grant: a snapshot mostly goes on with it
}

// owner is an account and its ref.
type owner struct {
	id  toksta.AccountID
	ref uint32 // 0: none yet
}

// entry is one secret, in 56 bytes with a single pointer. All but its term is
// written before the entry is published and never again; a change that touches
// more than the term makes a new entry.
type entry struct {
	digest     toksta.Digest
	term       atomic.Pointer[term]
	id         text
	account    uint32
	generation int32
}

// New returns an empty index that resolves accounts against c.
func New(c *toksta.Catalog) *Index {
	x := &Index{seed: maphash.MakeSeed(), shared: terms{}}
	x.digests.Store(newTable(0))
	x.accounts.init(c, x.seed)
	return x
}

// Lookup returns the grant and the standing of its account as they are now.
// False means that no such secret was ever put. The standing is nil when the
// grant's account has not been put: such a grant admits nothing.
func (x *Index) Lookup(d toksta.Digest) (toksta.Grant, *toksta.Standing, bool) {
	_, e := x.find(&d, x.digests.Load())
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

// Standing returns the standing of an account, nil when it has not been put.
func (x *Index) Standing(id toksta.AccountID) *toksta.Standing {
	ref := x.accounts.lookup(id)
	if ref == 0 {
		return nil
	}
	return x.accounts.standing(ref)
}

// Len returns how many secrets and accounts were put: generations count one by
// one, revoked or not, and an account that only grants named does not count.
func (x *Index) Len() (keys, accounts int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int(x.digests.Load().used), x.accounts.known
}

// PutAccount makes a the state of its account, in one step for every grant.
func (x *Index) PutAccount(a toksta.Account) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.accounts.put(a)
}

// PutGrant makes g what d stands for. A secret that was put as revoked stays
// revoked, whatever comes later.
func (x *Index) PutGrant(d toksta.Digest, account toksta.AccountID, g toksta.Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last.ref == 0 || x.last.id != account {
		x.last = owner{account, x.accounts.ensure(account)}
	}
	at, old := x.find(&d, x.digests.Load())
	if old != nil && old.term.Load().revoked {
		g.Revoked = true
	}
	t := x.shared.of(g)
	if old != nil && old.account == x.last.ref && old.generation == g.Generation && x.texts.at(old.id) == string(g.KeyID) {
		old.term.Store(t)
		return
	}
	// The entry is whole before a slot refers to it. An entry that it replaces
	// is left to the readers that still hold it; hardly any key ever moves.
	ref, e := x.entries.add()
	e.digest, e.account, e.generation, e.id = d, x.last.ref, g.Generation, x.texts.add(string(g.KeyID))
	e.term.Store(t)
	if old != nil {
		x.digests.Load().slots[at].Store(ref)
		return
	}
	insert(&x.digests, x.hash(&d), ref, func(r uint32) uint64 { return x.hash(&x.entries.at(r).digest) })
}

// find returns the entry of d and its slot in t, or a nil entry.
func (x *Index) find(d *toksta.Digest, t *table) (int, *entry) {
	for i := t.start(x.hash(d)); ; i = t.next(i) {
		ref := t.slots[i].Load()
		if ref == 0 {
			return i, nil
		}
		if e := x.entries.at(ref); e.digest == *d {
			return i, e
		}
	}
}

// hash is keyed by a seed of this process, so that nobody can prepare digests
// that share a probe sequence.
func (x *Index) hash(d *toksta.Digest) uint64 { return maphash.Bytes(x.seed, d[:]) }
