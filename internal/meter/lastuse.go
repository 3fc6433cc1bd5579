package meter

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// lastUse is a key's newest use as one slot saw it, without pointers, for
// there is one for each slot.
type lastUse struct {
	at        int64 // Unix seconds; 0: none
	prefix    [16]byte
	agent     uint16
	operation uint16
}

// maxAgents bounds what callers can make a segment remember: a User-Agent is
// theirs to invent. One beyond it is not shown.
const (
	maxAgents = 4096
	maxNames  = 1 << 16
)

// names gives a segment's agents and operations numbers. 0 is "".
type names struct {
	mu      sync.Mutex
	numbers map[string]uint16
	texts   []string
}

func newNames() *names { return &names{numbers: map[string]uint16{"": 0}, texts: []string{""}} }

// number returns the name's number, 0 for a new one when there are limit. The
// name is copied, since it may be part of a whole request's header.
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

// see notes a use, at most one a second: what is shown has no finer grain. A
// refused call is no use, and neither is the charge of one counted before.
func (u *lastUse) see(e *Event, n *names) {
	at := e.Now.Unix()
	if at <= u.at || e.Reason != "" || e.Calls == 0 {
		return
	}
	*u = lastUse{at: at, agent: n.number(agentFamily(e.Agent), maxAgents), operation: n.number(e.Operation, maxNames)}
	if e.Addr.IsValid() {
		u.prefix = clientPrefix(e.Addr).Addr().As16()
	}
}

// time has whole seconds.
func (u lastUse) time() time.Time { return time.Unix(u.at, 0).UTC() }

// address is the network of the use as people read it: "203.0.113.0/24".
func (u lastUse) address() string {
	a := netip.AddrFrom16(u.prefix)
	if a.IsUnspecified() {
		return ""
	}
	return clientPrefix(a).String()
}

// clientPrefix keeps what tells networks apart and not people: /24 and /48.
func clientPrefix(a netip.Addr) netip.Prefix {
	a, bits := a.Unmap().WithZone(""), 48
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// agentFamily shortens a User-Agent to its first product without version:
// "curl". A browser's is "browser". What is no plain name is "other".
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
