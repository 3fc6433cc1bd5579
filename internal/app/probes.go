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

// probes returns the checks that `toksta doctor` runs in a server: of its own database and its
// configuration, and of mail server, sign-in providers and upstreams from its place in the network.
func (a *App) probes() []operator.Probe {
	probes := []operator.Probe{
		{Name: "store", Fix: "check that the database runs and that its disk is not full", Run: timed("responds in", a.store.Ping)},
		{Name: "integrity", Fix: "stop the server, keep a copy of the database, and restore a backup", Run: skipUnavailable(timed("checked in", a.integrity))},
		{Name: "lease", Fix: "the node responds 503 until it is connected to the store again", Run: func(context.Context) (string, error) {
			s := a.feed.Status()
			if s.LeaseLeft <= 0 {
				return "", fmt.Errorf("the lease of node %s has expired", s.Node)
			}
			return fmt.Sprintf("%v left, change %d applied", s.LeaseLeft.Round(time.Millisecond), s.Applied), nil
		}},
		{Name: "index", Run: func(context.Context) (string, error) {
			keys, accounts := a.index.Len()
			return fmt.Sprintf("%d secrets of %d accounts", keys, accounts), nil
		}},
		a.tombstonesProbe(),
		a.redisProbe(),
		a.exportProbe(),
		a.eventsProbe(),
		{Name: "journal", Fix: "free space in the data directory: calls that cannot be counted are rejected", Run: a.checkSpace},
	}
	probes = append(probes, a.peopleProbes()...)
	for _, calls := range a.gate.PublicCalls() {
		probes = append(probes, a.publicProbe(calls.Operation))
	}
	for _, name := range slices.Sorted(maps.Keys(a.config.Upstreams)) {
		probes = append(probes, operator.Probe{
			Name: "upstream " + name, Fix: "start it, or correct upstreams." + name + ".url",
			Run: timed("connected in", connect(a.config.Upstreams[name])),
		})
	}
	return probes
}

// publicProbe reports the calls of a public route, which belong to no account.
func (a *App) publicProbe(operation string) operator.Probe {
	return operator.Probe{Name: "public " + operation, Run: func(context.Context) (string, error) {
		for _, calls := range a.gate.PublicCalls() {
			if calls.Operation == operation {
				return fmt.Sprintf("%d calls without a key since the start, %d of them failed", calls.Calls, calls.Failed), nil
			}
		}
		return "no such route", nil
	}}
}

// tombstonesProbe reads the file of tombstones, which is otherwise read only after a
// backup was restored.
func (a *App) tombstonesProbe() operator.Probe {
	p := operator.Probe{
		Name: "tombstones",
		Fix:  "if the disk of the data directory is full, free space; if the file is damaged and the database is not an older one, stop the node, move the file away and start the node",
	}
	p.Run = func(context.Context) (string, error) {
		recorded, err := a.feed.CheckTombstones()
		return fmt.Sprintf("%d revoked secrets are recorded", recorded), err
	}
	return p
}

// redisProbe fails without Redis, because nodes then admit more calls than the limit.
func (a *App) redisProbe() operator.Probe {
	p := operator.Probe{Name: "rate limits", Fix: "start Redis, or correct rate_limit.redis; until then each node admits up to the whole limit"}
	p.Run = func(context.Context) (string, error) {
		return "counted by each node: rate_limit.redis is empty", nil
	}
	if a.shared != nil {
		p.Run = func(ctx context.Context) (string, error) {
			text, err := timed("Redis responds in", a.shared.Ping)(ctx)
			return fmt.Sprintf("%s; %d calls were counted without it", text, a.shared.CountedLocally()), err
		}
	}
	return p
}

// skipUnavailable returns a check of the data that passes while the database is
// unavailable: the check "store" reports that, and the remedy for wrong data would
// not help.
func skipUnavailable(check func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		text, err := check(ctx)
		if errors.Is(err, store.ErrUnavailable) {
			return "not checked: the database does not respond", nil
		}
		return text, err
	}
}

// timed returns a check that adds its duration, after the label, to its result.
func timed(label string, check func(context.Context) error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		start := time.Now()
		err := check(ctx)
		return fmt.Sprintf("%s %v", label, time.Since(start).Round(10*time.Microsecond)), err
	}
}

// connect returns a check that opens a connection to an upstream and closes it
// without a request.
func connect(u config.Upstream) func(context.Context) error {
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

// lowSpace is the free space, in bytes, below which the check of the journal fails.
const lowSpace = 1 << 30

// checkSpace checks the free space of the journal's disk: if it is full, calls cannot be
// counted and are rejected.
func (a *App) checkSpace(context.Context) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(a.config.Meter.Dir, &s); err != nil {
		return "", fmt.Errorf("read the free space of the journal's disk: %w", err)
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB free", free>>20)
	if free < lowSpace {
		return text, fmt.Errorf("only %s", text)
	}
	return text, nil
}
