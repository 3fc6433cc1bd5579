package operatorapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/operatorauth"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/toksta"
)

// brokenNode is a node without any service behind its operator API.
type brokenNode struct{ lease bool }

// Valid implements operatorauth.Lease.
func (n brokenNode) Valid(time.Time) bool { return n.lease }

// Operator implements operatorauth.Keys. Every key is known.
func (brokenNode) Operator(toksta.Digest) (toksta.OperatorGrant, bool) {
	return toksta.OperatorGrant{ID: sampleOperatorKey, Name: "any", Roles: []toksta.Role{toksta.RoleManage}}, true
}

// start serves the operator API of the node until t ends.
func (n brokenNode) start(t *testing.T) *server {
	api := operator.Network(operator.Config{}, operator.Access{
		Keys:          operatorauth.New(n, n, time.Now),
		ClientAddress: func(*http.Request) (netip.Addr, error) { return netip.MustParseAddr("192.0.2.1"), nil },
		Used:          func(toksta.OperatorKeyID, time.Time, string) {},
	})
	log := telemetry.NewLog(telemetry.LogConfig{Out: io.Discard, Buffer: 1 << 20})
	listener := httptest.NewServer(telemetry.Handler(telemetry.Config{Log: log}, api))
	t.Cleanup(listener.Close)
	return &server{url: listener.URL, secret: toksta.OperatorSecretPrefix + strings.Repeat("0", 48)}
}

// askBrokenNodes sends the examples to a node without a lease, and to a node whose services fail.
func (r *runner) askBrokenNodes() {
	r.t.Helper()
	own := r.server
	defer func() { r.server = own }()
	for _, n := range []brokenNode{{lease: false}, {lease: true}} {
		r.server = n.start(r.t)
		for _, o := range operator.Operations() {
			code := toksta.CodeUnavailable
			if n.lease {
				code = toksta.CodeInternal
			}
			if n.lease && o.Name == "mail/test" {
				code = toksta.CodeConflict
			}
			if n.lease && unprovoked[o.Name+" INTERNAL_ERROR"] != "" && code != toksta.CodeConflict {
				continue
			}
			_, example := r.contract.request(o.Name)
			r.fail(o.Name, code, string(example))
		}
	}
}
