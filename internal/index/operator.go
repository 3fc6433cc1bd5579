package index

import "github.com/toksta/toksta/sdk/toksta"

// Operator returns the current grant of a secret of an operator key. It returns false if the
// secret is unknown. Like Lookup, it must be called after the check of the lease, and the
// caller decides by the grant: it can be revoked or expired. Secrets of customers' keys are
// unknown here, and those of operator keys are unknown to Lookup.
func (x *Index) Operator(d toksta.Digest) (toksta.OperatorGrant, bool) {
	g, ok := x.operators.Load(d)
	if !ok {
		return toksta.OperatorGrant{}, false
	}
	return *g.(*toksta.OperatorGrant), true
}

// PutOperatorGrant sets the grant of a secret of an operator key. A secret that was put as
// revoked stays revoked.
func (x *Index) PutOperatorGrant(d toksta.Digest, g toksta.OperatorGrant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, ok := x.Operator(d); ok && old.Revoked {
		g.Revoked = true
	}
	x.operators.Store(d, &g)
}
