package text

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toksta/toksta/sdk/toksta"
)

// maxNetworks is the largest number of networks of one key. Each call compares its client
// address with all of them.
const maxNetworks = 100

// Networks checks the networks to which a key is limited. It returns them masked, sorted and
// without duplicates, and IPv4-mapped networks as IPv4. The error is a *toksta.Error about
// field.
func Networks(field string, networks []netip.Prefix) ([]netip.Prefix, error) {
	if len(networks) > maxNetworks {
		return nil, toksta.Invalid(field, fmt.Sprintf("A key can name %d networks, not %d.", maxNetworks, len(networks)))
	}
	var out []netip.Prefix
	for _, n := range networks {
		if !n.IsValid() {
			return nil, toksta.Invalid(field, "A network is an address and a length, such as 203.0.113.0/24.")
		}
		// Client addresses are unmapped before the comparison, so a mapped
		// network would not match any of them.
		if n.Addr().Is4In6() {
			if n.Bits() < 96 {
				return nil, toksta.Invalid(field, fmt.Sprintf("Write the IPv4 network %s as IPv4.", n))
			}
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		out = append(out, n.Masked())
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out), nil
}
