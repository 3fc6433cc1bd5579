package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// families returns names as families, never nil: an empty list lifts a limit.
func families(names []string) []toksta.Family {
	out := make([]toksta.Family, len(names))
	for i, n := range names {
		out[i] = toksta.Family(n)
	}
	return out
}

// prefixes reads networks; a bare address is the network of itself. Whether a
// network makes sense for a key is the server's to say.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no network; write it as 203.0.113.0/24", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// expiry reads a point in time or a distance from now: 90d, 12h, 2027-01-31
// (its first moment, UTC) or RFC 3339. "" is none.
func expiry(text string, now time.Time) (*time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 {
			at := now.AddDate(0, 0, n)
			_, err := toksta.ValidateTime("expires_at", &at)
			return &at, err
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return new(now.Add(d)), nil
	}
	t, err := past(text)
	if err != nil {
		err = fmt.Errorf("%q is no time; write 90d, 12h, 2027-01-31 or RFC 3339", text)
	}
	return t, err
}
