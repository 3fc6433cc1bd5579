package index

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/toksta/toksta/sdk/toksta"
)

// accounts holds the current version of each account. An account that only grants
// refer to so far has a version without a row, and no standing.
type accounts struct {
	catalog *toksta.Catalog
	codec   codec
	seed    maphash.Seed
	ids     atomic.Pointer[table]
	slots   slabs[slot]
	recent  recentStandings
	known   int // number of accounts with a row; used by the writer only
}

// slot points to an account's current version, so that a change of the account is
// one store, whatever the number of its keys.
type slot struct{ version atomic.Pointer[version] }

// version is one state of an account: its packed row, and the standing computed from
// it at the first look-up. A standing that is computed late is stored in the version
// that it belongs to, so it cannot replace a newer standing.
type version struct {
	row      string // only the id until the account is put
	standing atomic.Pointer[toksta.Standing]
}

// isPut reports whether the version has a row, not only an id from a grant.
func (v *version) isPut() bool {
	_, rest := cutID(v.row)
	return rest != ""
}

func (a *accounts) init(c *toksta.Catalog, seed maphash.Seed) {
	a.catalog, a.codec, a.seed = c, newCodec(c), seed
	a.ids.Store(newTable(0))
}

// find returns the ref of the account with a packed id, or 0 if the account is unknown.
func (a *accounts) find(id []byte) uint32 {
	t := a.ids.Load()
	for i := t.start(maphash.Bytes(a.seed, id)); ; i = t.next(i) {
		ref := t.slots[i].Load()
		if ref == 0 || a.id(ref) == string(id) {
			return ref
		}
	}
}

func (a *accounts) id(ref uint32) string {
	id, _ := cutID(a.slots.at(ref).version.Load().row)
	return id
}

// rehash returns the hash by which the table contains an account.
func (a *accounts) rehash(ref uint32) uint64 { return maphash.String(a.seed, a.id(ref)) }

// lookup returns the ref of an account, or 0 if the account is unknown. It is for
// readers and allocates nothing for ids of the usual length.
func (a *accounts) lookup(id toksta.AccountID) uint32 {
	var buf [64]byte
	return a.find(appendID(buf[:0], string(id)))
}

// ensure returns the ref of an account and adds the account without a row if it is
// unknown.
func (a *accounts) ensure(id toksta.AccountID) uint32 {
	packed := appendID(make([]byte, 0, 64), string(id))
	if ref := a.find(packed); ref != 0 {
		return ref
	}
	ref, s := a.slots.add()
	s.version.Store(&version{row: string(packed)})
	insert(&a.ids, maphash.Bytes(a.seed, packed), ref, a.rehash)
	return ref
}

// put makes account the current version. A look-up that begins after put has
// returned sees this version.
func (a *accounts) put(account toksta.Account) {
	s := a.slots.at(a.ensure(account.ID))
	if !s.version.Load().isPut() {
		a.known++
	}
	s.version.Store(&version{row: a.codec.pack(account)})
}

// standing returns the current standing of an account, or nil if the account has no
// row.
func (a *accounts) standing(ref uint32) *toksta.Standing {
	v := a.slots.at(ref).version.Load()
	if s := v.standing.Load(); s != nil {
		return s
	}
	if !v.isPut() {
		return nil
	}
	s := a.catalog.Standing(a.codec.unpack(v.row))
	if !v.standing.CompareAndSwap(nil, s) {
		// Another reader stored a standing first, and added the version to the ring.
		return a.standing(ref)
	}
	a.recent.add(v)
	return s
}

// recentStandings limits the number of accounts whose standing is kept, because a
// standing is several times larger than its packed row. A new standing replaces the
// oldest.
type recentStandings struct {
	ring [1 << 15]atomic.Pointer[version]
	next atomic.Uint32
}

func (r *recentStandings) add(v *version) {
	at := (r.next.Add(1) - 1) % uint32(len(r.ring))
	if old := r.ring[at].Swap(v); old != nil {
		old.standing.Store(nil)
	}
}
