package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/store"
)

// probes are what `toksta doctor` asks a running server. They see what only
// the server can: its own database, and its back ends from where it stands.
func (a *App) probes() []operator.Probe {
	probes := []operator.Probe{
		{Name: "store", Fix: "check that the database runs and that its disk is not full", Run: timed("answers in", a.store.Ping)},
		{Name: "integrity", Fix: "stop the server, keep a copy of the database, and restore a backup", Run: ofStore(timed("read through in", a.sound))},
		{Name: "lease", Fix: "the node answers 503 until it reaches the store again", Run: func(context.Context) (string, error) {
			s := a.feed.Status()
			if s.LeaseLeft <= 0 {
				return "", fmt.Errorf("the lease of node %s is over", s.Node)
			}
			return fmt.Sprintf("%v left, change %d applied", s.LeaseLeft.Round(time.Millisecond), s.Applied), nil
		}},
		{Name: "index", Run: func(context.Context) (string, error) {
			keys, accounts := a.index.Len()
			return fmt.Sprintf("%d secrets of %d accounts", keys, accounts), nil
		}},
		a.tombstonesProbe(),
		a.redisProbe(),
		a.mailProbe(),
		a.exportProbe(),
		a.eventsProbe(),
		{Name: "journal", Fix: "free space in the data directory: calls that cannot be counted are refused", Run: a.space},
	}
	for _, name := range slices.Sorted(maps.Keys(a.config.Upstreams)) {
		probes = append(probes, operator.Probe{
			Name: "upstream " + name, Fix: "start it, or correct upstreams." + name + ".url",
			Run: timed("reached in", reach(a.config.Upstreams[name])),
		})
	}
	return probes
}

// tombstonesProbe reads the file of tombstones, which nothing else does until a
// backup is restored.
func (a *App) tombstonesProbe() operator.Probe {
	p := operator.Probe{Name: "tombstones", Fix: "free the disk of the data directory; if the file is damaged, see Backup and restore in docs/operations.md"}
	p.Run = func(context.Context) (string, error) {
		recorded, err := a.feed.CheckTombstones()
		return fmt.Sprintf("%d revoked secrets are recorded", recorded), err
	}
	return p
}

// redisProbe: without Redis calls go on, but more of them than customers pay for
// may be admitted.
func (a *App) redisProbe() operator.Probe {
	p := operator.Probe{Name: "rate limits", Fix: "start Redis, or correct rate_limit.redis; until then each node admits up to the whole limit"}
	p.Run = func(context.Context) (string, error) {
		return "counted by each node: rate_limit.redis is empty", nil
	}
	if a.shared != nil {
		p.Run = func(ctx context.Context) (string, error) {
			text, err := timed("Redis answers in", a.shared.Ping)(ctx)
			return fmt.Sprintf("%s; %d calls were counted without it", text, a.shared.Without()), err
		}
	}
	return p
}

// ofStore lets a check pass over what it could not look at: the remedy for what
// is in the database is none for one that does not answer, which has a check of
// its own.
func ofStore(check func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		text, err := check(ctx)
		if errors.Is(err, store.ErrUnavailable) {
			return "not examined: the database does not answer", nil
		}
		return text, err
	}
}

// timed says how long a check took when it went well.
func timed(what string, check func(context.Context) error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		start := time.Now()
		err := check(ctx)
		return fmt.Sprintf("%s %v", what, time.Since(start).Round(10*time.Microsecond)), err
	}
}

// reach opens a connection and closes it: no request reaches the back end.
func reach(u config.Upstream) func(context.Context) error {
	return func(ctx context.Context) error {
		dialer := net.Dialer{Timeout: u.ConnectTimeout}
		network, address := u.Address()
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// lowSpace is what the journal's disk must have free not to worry anybody.
const lowSpace = 1 << 30

// space looks at the journal's disk: when it is full, calls are refused
// rather than not counted.
func (a *App) space(context.Context) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(a.config.Meter.Dir, &s); err != nil {
		return "", fmt.Errorf("look at the journal's disk: %w", err)
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB free", free>>20)
	if free < lowSpace {
		return text, fmt.Errorf("only %s", text)
	}
	return text, nil
}
