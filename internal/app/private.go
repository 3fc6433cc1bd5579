package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/operator"
)

// operator builds what answers on the private listener.
func (a *App) operator() http.Handler {
	return operator.New(operator.Config{
		Keys: a.Keys, Accounts: a.Accounts, Members: a.SignIn, Usage: a.Usage, Cluster: a.store, Catalog: a.catalog,
		PublicURL: a.config.PublicURL, Invitation: a.config.Signup.InvitationLifetime,
		Version: a.version, Now: time.Now, Probes: a.probes(),
	})
}

// probes are what `toksta doctor` asks a running server.
func (a *App) probes() []operator.Probe {
	return []operator.Probe{
		{Name: "store", Fix: "check that the database runs and that its disk is not full", Run: func(ctx context.Context) (string, error) {
			start := time.Now()
			err := a.store.Ping(ctx)
			return fmt.Sprintf("answers in %v", time.Since(start).Round(10*time.Microsecond)), err
		}},
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
		{Name: "journal", Fix: "free space in the data directory: calls that cannot be counted are refused", Run: a.space},
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
