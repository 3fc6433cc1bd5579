package index

import (
	"fmt"

	"github.com/toksta/toksta/sdk/toksta"
)

// term is the part of a grant that can change. It is replaced as a whole.
type term struct {
	limits    *toksta.Limits
	expiresAt int64
	revoked   bool
}

// terms contains each common term once: most keys have no limits, and the others
// share a few sets of scopes.
type terms map[string]*term

// maxShared limits the number of shared terms. Further grants have terms of their
// own.
const maxShared = 1 << 12

// of returns the terms of g. Terms without an expiry are shared.
func (s terms) of(g toksta.Grant) *term {
	t := &term{g.Limits, g.ExpiresAt, g.Revoked}
	if g.ExpiresAt != 0 {
		if g.Limits != nil {
			t.limits = s.of(toksta.Grant{Limits: g.Limits}).limits
		}
		return t
	}
	name := fmt.Sprint(g.Revoked)
	if g.Limits != nil {
		name = fmt.Sprintf("%t %q %v %d", g.Revoked, g.Limits.Scopes, g.Limits.Networks, g.Limits.PerMinute)
	}
	if known, ok := s[name]; ok {
		return known
	}
	if len(s) < maxShared {
		s[name] = t
	}
	return t
}
