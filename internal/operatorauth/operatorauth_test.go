package operatorauth

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// node has operator keys and a lease.
type node struct {
	keys map[toksta.Digest]toksta.OperatorGrant
	left bool // the lease has ended
}

func (n *node) Operator(d toksta.Digest) (toksta.OperatorGrant, bool) {
	key, known := n.keys[d]
	return key, known
}

func (n *node) Valid(time.Time) bool { return !n.left }

// now is the time of every attempt unless a test sets another one.
var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

var office = netip.MustParseAddr("192.0.2.7")

// newNode returns a node with a key for each case, whose secret is the name of the case.
func newNode() *node {
	n := &node{keys: map[toksta.Digest]toksta.OperatorGrant{}}
	for name, key := range map[string]toksta.OperatorGrant{
		"valid":   {ID: "op_1"},
		"revoked": {ID: "op_2", Revoked: true},
		"expired": {ID: "op_3", ExpiresAt: now.UnixMilli()},
		"expires": {ID: "op_4", ExpiresAt: now.UnixMilli() + 1},
		"remote":  {ID: "op_5", Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
		"local":   {ID: "op_6", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	} {
		n.keys[sha256.Sum256([]byte(name))] = key
	}
	return n
}

// Guarantee: only a live key of a permitted address authenticates. Every rejection has the
// same code and message, and the log has its reason.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	messages := map[string]bool{}
	for name, test := range map[string]struct {
		fields []string
		reason toksta.Reason
		id     toksta.OperatorKeyID // in the log
	}{
		"a valid key":                   {[]string{"Bearer valid"}, "", "op_1"},
		"a key that expires later":      {[]string{"Bearer expires"}, "", "op_4"},
		"a key of the client's network": {[]string{"Bearer local"}, "", "op_6"},
		"no field":                      {nil, toksta.ReasonKeyMissing, ""},
		"an empty field":                {[]string{""}, toksta.ReasonKeyMalformed, ""},
		"two fields":                    {[]string{"Bearer valid", "Bearer valid"}, toksta.ReasonKeyMalformed, ""},
		"another scheme":                {[]string{"Basic valid"}, toksta.ReasonKeyMalformed, ""},
		"an unknown key":                {[]string{"Bearer guess"}, toksta.ReasonKeyUnknown, ""},
		"a revoked key":                 {[]string{"Bearer revoked"}, toksta.ReasonKeyRevoked, "op_2"},
		"an expired key":                {[]string{"Bearer expired"}, toksta.ReasonKeyExpired, "op_3"},
		"a key of another network":      {[]string{"Bearer remote"}, toksta.ReasonAddressNotAllowed, "op_5"},
	} {
		n := newNode()
		a := New(n, n, func() time.Time { return now })
		got, err := a.Authenticate(test.fields, office)
		if got.Key.ID != test.id {
			t.Errorf("%s: the log has the key %q, want %q", name, got.Key.ID, test.id)
		}
		if test.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		e, ok := err.(*toksta.Error)
		if !ok || e.Code != toksta.CodeUnauthorized || e.Reason != test.reason || len(e.Details) != 0 {
			t.Errorf("%s: got %#v", name, err)
			continue
		}
		messages[e.Message] = true
	}
	if len(messages) != 1 {
		t.Errorf("the messages distinguish the causes: %v", messages)
	}
}

// Guarantee: a node without a valid lease, which could have missed a revocation,
// authenticates no key.
func TestLease(t *testing.T) {
	t.Parallel()
	n := newNode()
	n.left = true
	a := New(n, n, func() time.Time { return now })
	if got, err := a.Authenticate([]string{"Bearer valid"}, office); toksta.ErrorCode(err) != toksta.CodeUnavailable || got.Key.ID != "" {
		t.Errorf("got %v, %v", got, err)
	}
}

// Guarantee: after several failures, a network gets 429 until its window ends. Valid keys of
// the network keep working, and other networks are not affected.
func TestGuessesAreThrottled(t *testing.T) {
	t.Parallel()
	n, at := newNode(), now
	a := New(n, n, func() time.Time { return at })
	guess := func(i int, from string) toksta.Code {
		_, err := a.Authenticate([]string{fmt.Sprint("Bearer guess-", i)}, netip.MustParseAddr(from))
		return toksta.ErrorCode(err)
	}
	var codes []toksta.Code
	for i := range maxFailures + 2 {
		codes = append(codes, guess(i, fmt.Sprint("192.0.2.", i)))
	}
	want := append(slices.Repeat([]toksta.Code{toksta.CodeUnauthorized}, maxFailures), toksta.CodeRateLimited, toksta.CodeRateLimited)
	if !slices.Equal(codes, want) {
		t.Fatalf("got %v", codes)
	}
	if _, err := a.Authenticate([]string{"Bearer valid"}, office); err != nil {
		t.Errorf("a valid key of the network: %v", err)
	}
	if _, err := a.Authenticate(nil, office); toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		t.Errorf("a request without a key: %v", err)
	}
	if got := guess(0, "198.51.100.1"); got != toksta.CodeUnauthorized {
		t.Errorf("another network: %v", got)
	}
	limited, err := a.Authenticate([]string{"Bearer guess"}, netip.MustParseAddr("::ffff:192.0.2.9"))
	if toksta.ErrorCode(err) != toksta.CodeRateLimited || !limited.Until.Equal(now.Add(window)) {
		t.Errorf("an IPv4-mapped address: %v until %v", err, limited.Until)
	}
	at = limited.Until
	if got := guess(0, "192.0.2.1"); got != toksta.CodeUnauthorized {
		t.Errorf("after the window: %v", got)
	}
}

// Guarantee: the memory for failures is bounded, however many networks guess.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	f := newFailures()
	for i := range 3 * maxNetworks {
		f.count(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i)}), 24), now)
	}
	if n := len(f.recent) + len(f.old); n > 2*maxNetworks {
		t.Errorf("%d networks are in memory", n)
	}
}

// Guarantee: one person with an IPv6 network of many addresses has one limit.
func TestNetworkOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.0/24", "2001:db8:1:22ff::1": "2001:db8:1:2200::/56", "fe80::1%eth0": "fe80::/56",
	} {
		if got := networkOf(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if networkOf(netip.Addr{}).IsValid() {
		t.Error("a client without an address has a network")
	}
}
