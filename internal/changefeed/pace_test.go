package changefeed

import (
	"testing"
	"time"
)

// The first look comes when the others may be through, whether they get slower
// or faster; alone it comes at once, and never after the bound.
func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	for _, others := range []time.Duration{0, 2 * time.Millisecond, 300 * time.Microsecond, time.Second, 0} {
		for range 500 {
			p.learn(time.Duration(p.nanoseconds.Load()) >= others)
		}
		got, least := time.Duration(p.nanoseconds.Load()), min(others, slowest)*4/5
		if got < least || got > min(others, slowest)*11/10+time.Microsecond {
			t.Errorf("others take %v: the first look comes after %v", others, got)
		}
	}
}
