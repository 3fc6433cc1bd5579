package export

import (
	"testing"
	"time"
)

// Guarantee: an unavailable receiver is retried without end, but not too often.
func TestBackoff(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for failures := 1; failures < 200; failures++ {
		d := backoff(failures)
		if d < last || d < minBackoff || d > maxBackoff {
			t.Fatalf("after %d failures %v, before it %v", failures, d, last)
		}
		last = d
	}
	if backoff(1) != minBackoff || backoff(2) != 2*minBackoff || last != maxBackoff {
		t.Errorf("%v, %v … %v", backoff(1), backoff(2), last)
	}
}

// Guarantee: an hour is sent once it is over and has settled, and not before.
func TestCutoff(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 5, 14, 10, 0, 0, 0, time.UTC)
	for at, want := range map[time.Duration]time.Duration{0: -time.Hour, 14*time.Minute + 59*time.Second: -time.Hour, 15 * time.Minute: 0, 74 * time.Minute: 0, 75 * time.Minute: time.Hour} {
		if got := Cutoff(hour.Add(at), 15*time.Minute); !got.Equal(hour.Add(want)) {
			t.Errorf("at %v: %v", hour.Add(at), got)
		}
	}
}
