package node_test

import (
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/node"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
)

// The decision on a call in the process of the program, and by the socket of the same node.
func BenchmarkVerifier(b *testing.B) {
	n, err := node.Start(b.Context(), node.Config{Data: b.TempDir(), Log: &apptest.Output{}, Environ: []string{"TOKSTA_LOGS_LEVEL=error"}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	key := apptest.NewKey(b, n.Operator(), apptest.NewAccount(b, n.Operator(), "bench"), "key")
	call := httpauth.Call{Authorization: []string{"Bearer " + key.Secret}, Method: "GET", Target: "/v1/creators/7"}
	for name, v := range map[string]httpauth.Verifier{"embedded": n.Verifier(), "socket": client.NewVerifier(n.Socket())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := v.Verify(b.Context(), call); err != nil || !d.Admitted {
					b.Fatalf("%+v, %v", d, err)
				}
			}
		})
	}
}
