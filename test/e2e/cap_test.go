package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an account never has more live keys than its cap, however many are created at
// once. Each call beyond the cap is rejected and changes nothing.
func TestCapOnLiveKeys(t *testing.T) {
	t.Parallel()
	const total, limit = 200, 100
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Greedy")
	var made, rejected atomic.Int64
	var all sync.WaitGroup
	ready := make(chan struct{})
	for i := range total {
		all.Go(func() {
			<-ready
			_, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: fmt.Sprint("key ", i)})
			switch toksta.ErrorCode(err) {
			case "":
				made.Add(1)
			case toksta.CodeConflict:
				rejected.Add(1)
			default:
				t.Errorf("create: %v", err)
			}
		})
	}
	close(ready)
	all.Wait()
	detail, err := api.Account(t.Context(), client.AccountRef{Account: owner})
	if err != nil {
		t.Fatal(err)
	}
	if made.Load() != limit || rejected.Load() != total-limit || detail.LiveKeys != limit {
		t.Errorf("%d created, %d rejected, %d live; want %d, %d, %d", made.Load(), rejected.Load(), detail.LiveKeys, limit, total-limit, limit)
	}
	checkNoGaps(t, api)
	page, err := api.Audit(t.Context(), client.AuditRequest{Account: owner, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	created := 0
	for _, c := range page.Changes {
		if c.Kind == toksta.ChangeKeyCreated {
			created++
		}
	}
	if created != limit {
		t.Errorf("the audit trail has %d created keys, want %d", created, limit)
	}
}

// checkNoGaps fails t unless the audit trail has every number from the first to the newest.
func checkNoGaps(t *testing.T, api *client.Client) {
	t.Helper()
	page := client.AuditPage{Next: 1 << 62}
	for want := int64(-1); page.Next > 0; {
		var err error
		if page, err = api.Audit(t.Context(), client.AuditRequest{Before: page.Next, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			if want >= 0 && c.Sequence != want {
				t.Fatalf("change %d precedes change %d", c.Sequence, want+1)
			}
			want = c.Sequence - 1
		}
		if page.Next == 0 && want != 0 {
			t.Errorf("the first change is number %d", want+1)
		}
	}
}
