package index

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/toksta/toksta"
)

// accounts holds the newest version of each account. An account that only
// grants speak of so far has a version without a row, and no standing.
type accounts struct {
	catalog *toksta.Catalog
	codec   codec
	seed    maphash.Seed
	ids     atomic.Pointer[table]
	slots   slabs[slot]
	recent  recent
	known   int // the writer's
}

// slot is where an account's current version hangs: a change of the account
// is one store, however many keys it has.
type slot struct{ version atomic.Pointer[version] }

// version is one state of an account: its row packed small, and the standing
// resolved from it once somebody asks. A standing that is resolved late lands
// in the version that it was resolved from, so it can never displace a newer.
type version struct {
	row      string // the id alone until the account is put
	standing atomic.Pointer[toksta.Standing]
}

// put reports whether the account was put, not only named by a grant.
func (v *version) put() bool {
	_, rest := cutID(v.row)
	return rest != ""
}

func (a *accounts) init(c *toksta.Catalog, seed maphash.Seed) {
	a.catalog, a.codec, a.seed = c, newCodec(c), seed
	a.ids.Store(newTable(0))
}

// find returns the ref of an account that was put or that a grant named, 0
// for any other. The id is in its packed form.
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

// rehash is the hash of an account that the table holds already.
func (a *accounts) rehash(ref uint32) uint64 { return maphash.String(a.seed, a.id(ref)) }

// lookup is for readers: an id of the usual length costs no allocation. It
// returns the ref of an account, 0 when nobody named it yet.
func (a *accounts) lookup(id toksta.AccountID) uint32 {
	var buf [64]byte
	return a.find(appendID(buf[:0], string(id)))
}

// ensure returns the ref of an account, which may have no row yet.
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

// put makes account the current version. Readers that hold the one before
// finish on it; a look-up that begins after put returned does not.
func (a *accounts) put(account toksta.Account) {
	s := a.slots.at(a.ensure(account.ID))
	if !s.version.Load().put() {
		a.known++
	}
	s.version.Store(&version{row: a.codec.pack(account)})
}

// standing returns what the account may do now, nil for one without a row.
func (a *accounts) standing(ref uint32) *toksta.Standing {
	v := a.slots.at(ref).version.Load()
	if s := v.standing.Load(); s != nil {
		return s
	}
	if !v.put() {
		return nil
	}
	s := a.catalog.Standing(a.codec.unpack(v.row))
	if !v.standing.CompareAndSwap(nil, s) {
		// Somebody was faster. The ring holds each version once.
		return a.standing(ref)
	}
	a.recent.add(v)
	return s
}

// recent bounds how many accounts are held resolved: a standing is several
// times the size of its packed row. The oldest makes room for the newest.
type recent struct {
	ring [1 << 15]atomic.Pointer[version]
	next atomic.Uint32
}

func (r *recent) add(v *version) {
	at := (r.next.Add(1) - 1) % uint32(len(r.ring))
	if old := r.ring[at].Swap(v); old != nil {
		old.standing.Store(nil)
	}
}
