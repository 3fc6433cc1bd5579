package index

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// codec packs an account into a row of about sixty bytes: the id in the form of
// appendID, then, if the account was put, every other field in the order of the
// struct. A word of the catalogue takes one byte.
type codec struct{ words []string }

// newCodec fixes the catalogue's words for the lifetime of the index, so that
// readers need no lock. Other words are stored as text.
func newCodec(c *toksta.Catalog) codec {
	words := []string{"", "monthly", "annual"}
	for _, p := range c.Plans {
		words = append(words, string(p.ID))
	}
	for s := range c.Statuses {
		words = append(words, string(s))
	}
	for _, f := range c.Families {
		words = append(words, string(f.Name))
	}
	return codec{words}
}

// Bits of a row's flags. Most accounts have no entitlements, which takes one byte.
const (
	accessSet = 1 << iota
	accessOn
	hasEntitlements
)

// pack returns the row of a.
func (c codec) pack(a toksta.Account) string {
	b := appendID(make([]byte, 0, 128), string(a.ID))
	b = appendText(b, a.Name)
	b = c.appendWord(b, string(a.Plan))
	b = c.appendWord(b, string(a.Status))
	b = appendTime(b, a.StatusSince)
	b = c.appendWord(b, a.Cadence)
	b = appendTime(b, a.CycleAnchor)
	b = c.appendEntitlements(b, a.Entitlements)
	b = appendTime(b, a.CreatedAt)
	b = appendTime(b, a.ClosedAt)
	return string(binary.AppendVarint(b, a.Seq))
}

func (c codec) appendEntitlements(b []byte, e toksta.Entitlements) []byte {
	var flags byte
	if e.APIAccess != nil {
		flags |= accessSet
		if *e.APIAccess {
			flags |= accessOn
		}
	}
	if len(e.Families) > 0 || e.PerMinute|e.PerHour|e.PerDay|e.Concurrent != 0 || e.OverageCapMicros != 0 || e.PurchasedCredits != 0 {
		flags |= hasEntitlements
	}
	b = append(b, flags)
	if flags&hasEntitlements == 0 {
		return b
	}
	for _, limit := range []int{e.PerMinute, e.PerHour, e.PerDay, e.Concurrent} {
		b = binary.AppendVarint(b, int64(limit))
	}
	b = binary.AppendVarint(b, e.OverageCapMicros)
	b = binary.AppendVarint(b, e.PurchasedCredits)
	b = binary.AppendVarint(b, int64(len(e.Families)))
	for f, on := range e.Families {
		b = c.appendWord(b, string(f))
		b = append(b, 0)
		if on {
			b[len(b)-1] = 1
		}
	}
	return b
}

// unpack decodes a row that pack returned. Strings in the result share the row's memory.
func (c codec) unpack(row string) toksta.Account {
	id, rest := cutID(row)
	r := reader{rest: rest, words: c.words}
	return toksta.Account{
		ID:           toksta.AccountID(idText(id)),
		Name:         r.text(),
		Plan:         toksta.PlanID(r.word()),
		Status:       toksta.Status(r.word()),
		StatusSince:  r.time(),
		Cadence:      r.word(),
		CycleAnchor:  r.time(),
		Entitlements: r.entitlements(),
		CreatedAt:    r.time(),
		ClosedAt:     r.time(),
		Seq:          r.number(),
	}
}

func (r *reader) entitlements() (e toksta.Entitlements) {
	flags := r.byte()
	if flags&accessSet != 0 {
		on := flags&accessOn != 0
		e.APIAccess = &on
	}
	if flags&hasEntitlements == 0 {
		return e
	}
	for _, limit := range []*int{&e.PerMinute, &e.PerHour, &e.PerDay, &e.Concurrent} {
		*limit = int(r.number())
	}
	e.OverageCapMicros = r.number()
	e.PurchasedCredits = r.number()
	if n := r.number(); n > 0 {
		e.Families = make(map[toksta.Family]bool, n)
		for range n {
			f := toksta.Family(r.word())
			e.Families[f] = r.byte() == 1
		}
	}
	return e
}

// appendWord appends the number of a catalogue word plus one, or 0 and the text.
func (c codec) appendWord(b []byte, s string) []byte {
	if i := slices.Index(c.words, s); i >= 0 && i < 255 {
		return append(b, byte(i+1))
	}
	return appendText(append(b, 0), s)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime appends a time in milliseconds, the precision of the store. The number 0
// stands for the zero time, so one is added to the number of every time from 1970 on.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	ms := t.UnixMilli()
	if ms >= 0 {
		ms++
	}
	return binary.AppendVarint(b, ms)
}

// reader decodes a row from its start. Rows are created by pack and never leave the
// process, so an incomplete row is an error in pack and panics.
type reader struct {
	rest  string
	words []string
}

func (r *reader) byte() byte {
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// unsigned reads a number that binary.AppendUvarint wrote.
func (r *reader) unsigned() (u uint64) {
	for shift := 0; ; shift += 7 {
		b := r.byte()
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return u
		}
	}
}

// number reads a number that binary.AppendVarint wrote.
func (r *reader) number() int64 {
	u := r.unsigned()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) text() string {
	n := r.unsigned()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) word() string {
	if i := r.byte(); i > 0 {
		return r.words[i-1]
	}
	return r.text()
}

func (r *reader) time() time.Time {
	ms := r.number()
	switch {
	case ms == 0:
		return time.Time{}
	case ms > 0:
		ms--
	}
	return time.UnixMilli(ms).UTC()
}
