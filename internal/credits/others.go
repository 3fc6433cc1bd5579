package credits

import (
	"context"
	"fmt"
	"time"
)

// aloneDelay is the time after which a node without other nodes stops reading
// their charges. Until then, the journals of nodes that ended are flushed.
const aloneDelay = 2 * time.Minute

// noEnd is a time after all hours.
var noEnd = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// membership is the list of nodes as far as it decides whether other nodes can
// add charges.
type membership struct {
	only     string    // id and epoch of the only node; "": there are several or none
	since    time.Time // no other node was listed from then on
	polledAt time.Time
	alone    bool // for at least aloneDelay
}

// pollNodes reads the list of nodes. It sets how much the other nodes can admit
// before this node reads it: they flush once in a round and this node reads once,
// and a period of that length touches one minute more than it lasts. A node that
// is about to join counts. The caller holds s.mu.
func (s *Service) pollNodes(ctx context.Context) error {
	nodes, err := s.Store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	minutes := 2 + int(2*s.Interval/time.Minute)
	s.Balances.setReach(max(len(nodes)-1, 1) * minutes)
	only := ""
	if len(nodes) == 1 {
		only = nodes[0].ID + " " + nodes[0].Epoch
	}
	s.updateAlone(only)
	s.only.Store(only != "")
	return nil
}

// Only reports whether the last poll found no other node, which would need the charges of
// this one.
func (s *Service) Only() bool { return s.only.Load() }

// updateAlone updates the membership after a poll; only identifies the only
// listed node. If two polls are far apart, a node could have joined and left in
// between, so aloneDelay starts again. When this node is no longer alone, the
// sums that it read lack the charges of the node that has joined, so they are
// deleted.
func (s *Service) updateAlone(only string) {
	m, now := &s.nodes, s.Now()
	if only == "" || only != m.only || now.Sub(m.polledAt).Abs() > 2*s.Interval {
		if m.alone {
			clear(s.past)
		}
		m.since = now
	}
	m.only, m.polledAt = only, now
	m.alone = now.Sub(m.since) >= aloneDelay
}

// pastUntil returns the end of the hours that other nodes do not add charges to,
// except after an outage. If there is no other node, those are all hours.
func (s *Service) pastUntil(ctx context.Context, now time.Time) (time.Time, error) {
	if s.nodes.alone {
		if err := s.pollNodes(ctx); err != nil {
			return time.Time{}, err
		}
	}
	if s.nodes.alone {
		return noEnd, nil
	}
	return now.Truncate(time.Hour).Add(-time.Hour), nil
}
