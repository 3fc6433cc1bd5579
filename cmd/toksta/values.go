package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// toFamilies converts names to families. The result is never nil: the API reads []
// as no limit, and null as unchanged.
func toFamilies(names []string) []toksta.Family {
	out := make([]toksta.Family, len(names))
	for i, n := range names {
		out[i] = toksta.Family(n)
	}
	return out
}

// parseNetworks parses networks. An address is the network of that one address. The
// server validates the networks.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network; write it as 203.0.113.0/24", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// networkNames returns networks as text.
func networkNames(networks []netip.Prefix) []string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.String()
	}
	return names
}

// parseExpiry parses a time or a duration from now: 90d, 12h, 2027-01-31 (00:00 UTC)
// or RFC 3339. It returns nil for "".
func parseExpiry(text string, now time.Time) (*time.Time, error) {
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
	t, err := parseTime(text)
	if err != nil {
		err = fmt.Errorf("%q is not a time; write 90d, 12h, 2027-01-31 or RFC 3339", text)
	}
	return t, err
}

// parseSince parses a time, or a duration before now: 7d, 24h, 2026-06-01 (00:00 UTC) or
// RFC 3339. It returns nil for "".
func parseSince(text string, now time.Time) (*time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return new(now.AddDate(0, 0, -int(n))), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return new(now.Add(-d)), nil
	}
	t, err := parseTime(text)
	if err != nil {
		err = fmt.Errorf("%q is not a time; write 7d, 24h, 2026-06-01 or RFC 3339", text)
	}
	return t, err
}
