package e2e

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: a node whose journal's disk is full responds 503 and serves no uncounted call.
// Only the log states the cause. With free space it serves again, and the usage has every
// call that it served.
func TestUncountedIsUnavailable(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	n := apptest.Start(t, func(c *config.Config) { c.Meter.Dir = disk })
	api := n.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Uncounted"), "Uncounted").Secret
	row := rejection{call: "GET /v1/creators/7", secret: key, status: 503, code: "UNAVAILABLE", logged: "not_counted"}
	for range 20 {
		got := row.send(t, n.URL)
		row.check(t, got)
		row.checkLog(t, n, got)
		if got.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "the node does not count again", func() bool { return row.send(t, n.URL).Status == 200 })
	var used struct {
		Calls int64 `json:"total_calls"`
	}
	apptest.Send(t, n.URL, "GET /v1/account/usage", key).Data(t, &used)
	if used.Calls != 2 {
		t.Errorf("the usage has %d calls, want the admitted one and itself", used.Calls)
	}
}
