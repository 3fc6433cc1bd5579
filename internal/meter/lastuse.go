package meter

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// lastUse is the newest use of a key in one slot. It has no pointers, because there is one for each
// slot.
type lastUse struct {
	at        int64 // Unix seconds; 0: none
	prefix    [16]byte
	agent     uint16
	operation uint16
}

// A User-Agent is chosen by the caller, so maxAgents limits the number that one segment stores.
// Further ones are not shown. maxNames is the number of values of a uint16.
const (
	maxAgents = 4096
	maxNames  = 1 << 16
)

// names assigns numbers to the agents and operations of a segment. 0 is "".
type names struct {
	mu      sync.Mutex
	numbers map[string]uint16
	texts   []string
}

func newNames() *names { return &names{numbers: map[string]uint16{"": 0}, texts: []string{""}} }

// number returns the number of s, or 0 if s is new and there are already limit names. It copies a
// new name, because s may share memory with the header of a request.
func (n *names) number(s string, limit int) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i, known := n.numbers[s]; known || len(n.texts) >= limit {
		return i
	}
	s = strings.Clone(s)
	i := uint16(len(n.texts))
	n.texts = append(n.texts, s)
	n.numbers[s] = i
	return i
}

func (n *names) text(i uint16) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.texts[i]
}

// update records a use, at most one per second, the precision that is shown. Rejected calls and
// additional charges of counted calls are not uses.
func (u *lastUse) update(e *Increment, n *names) {
	at := e.Now.Unix()
	if at <= u.at || e.Reason != "" || e.Calls == 0 {
		return
	}
	*u = lastUse{at: at, agent: n.number(agentFamily(e.Agent), maxAgents), operation: n.number(e.Operation, maxNames)}
	if e.Addr.IsValid() {
		u.prefix = clientPrefix(e.Addr).Addr().As16()
	}
}

// usesEvery is the time between two flushes of the last uses, except that the first use of a slot
// is flushed with its total. Since totals do not depend on last uses, a killed process can lose
// those of one interval.
const usesEvery = time.Minute

// lastUses returns the newest use of each key of the numbered records, each key once. The caller
// holds flushing. Adopted segments have no cells: their last uses are lost.
func (m *Meter) lastUses(s *segment, numbers []uint32) []store.LastUse {
	if s.cells == nil {
		return nil
	}
	var out []store.LastUse
	at := map[toksta.KeyID]int{} // in out
	for _, n := range numbers {
		u := m.lastUse(s, n)
		if u.at == 0 {
			continue
		}
		s.cells[n].sent = true
		use := store.LastUse{
			KeyID: toksta.KeyID(s.records[n].key()), AccountID: toksta.AccountID(s.records[n].account()),
			At: u.time(), Address: u.address(), Agent: s.names.text(u.agent), Operation: s.names.text(u.operation),
		}
		i, found := at[use.KeyID]
		switch {
		case !found:
			at[use.KeyID] = len(out)
			out = append(out, use)
		case use.At.After(out[i].At):
			out[i] = use
		}
	}
	return out
}

// lastUse returns the newest use that the cell of record n holds, read under the lock of its shard.
func (m *Meter) lastUse(s *segment, n uint32) lastUse {
	c := &s.cells[n]
	sh := m.shard(c.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return c.use
}

// time returns the time of the use in whole seconds.
func (u lastUse) time() time.Time { return time.Unix(u.at, 0).UTC() }

// address returns the network of the use in CIDR notation, for example "203.0.113.0/24".
func (u lastUse) address() string {
	a := netip.AddrFrom16(u.prefix)
	if a.IsUnspecified() {
		return ""
	}
	return clientPrefix(a).String()
}

// clientPrefix masks an address to its network, /24 or /48, which does not identify a person.
func clientPrefix(a netip.Addr) netip.Prefix {
	a, bits := a.Unmap().WithZone(""), 48
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// agentFamily returns the first product of a User-Agent without its version, for example "curl". It
// returns "browser" for browsers and "other" for names with unusual characters.
func agentFamily(agent string) string {
	name, _, _ := strings.Cut(agent, " ")
	name, _, _ = strings.Cut(name, "/")
	switch {
	case name == "":
		return ""
	case name == "Mozilla":
		return "browser"
	case len(name) > 40:
		return "other"
	}
	for i := range len(name) {
		if c := name[i]; c < '!' || c > '~' || strings.IndexByte("<>\"'&", c) >= 0 {
			return "other"
		}
	}
	return name
}
