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

// terms contains each common term once, by the text of its content: most keys have no
// limits, and the others share a few sets of scopes.
type terms map[string]*term

// maxShared limits the number of shared terms. When it is reached, a grant with another
// term has a term of its own.
const maxShared = 1 << 12

// intern returns the term of g. Equal terms without an expiry are the same pointer, and
// a term with an expiry shares the limits of such a term.
func (s terms) intern(g toksta.Grant) *term {
	t := &term{g.Limits, g.ExpiresAt, g.Revoked}
	if g.ExpiresAt != 0 {
		if g.Limits != nil {
			t.limits = s.intern(toksta.Grant{Limits: g.Limits}).limits
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
