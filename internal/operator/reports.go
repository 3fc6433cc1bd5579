package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// audit lists the changes that meet the conditions of the request, the newest first.
func (s server) audit(ctx context.Context, _ toksta.Actor, r client.AuditRequest) (client.AuditPage, error) {
	limit, limitErr := pageLimit(r.Limit)
	since, sinceErr := toksta.ValidateTime("since", r.Since)
	until, untilErr := toksta.ValidateTime("until", r.Until)
	var kindErr error
	if r.Kind != "" && !slices.Contains(toksta.ChangeKinds(), r.Kind) {
		kindErr = unknownKind(r.Kind)
	}
	if err := toksta.InvalidFields(limitErr, sinceErr, untilErr, kindErr); err != nil {
		return client.AuditPage{}, err
	}
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.AuditPage{}, err
	}
	if r.Key != "" {
		if _, err := s.Keys.Get(ctx, r.Account, r.Key); err != nil {
			return client.AuditPage{}, err
		}
	}
	if r.OperatorKey != "" {
		if _, err := s.OperatorKeys.Get(ctx, r.OperatorKey); err != nil {
			return client.AuditPage{}, err
		}
	}
	if r.Member != "" {
		if err := s.Accounts.CheckPerson(ctx, r.Account, r.Member); err != nil {
			return client.AuditPage{}, err
		}
	}
	actor, err := s.memberID(ctx, r.Actor)
	if err != nil {
		return client.AuditPage{}, err
	}
	found, err := s.Accounts.FindChanges(ctx, store.ChangeSearch{
		ChangeQuery: store.ChangeQuery{Account: r.Account, Key: r.Key, Before: r.Before, Limit: limit},
		OperatorKey: r.OperatorKey, Member: r.Member, Actor: actor, Kind: r.Kind, Since: since, Until: until,
	})
	if err != nil {
		return client.AuditPage{}, err
	}
	page := client.AuditPage{Changes: []client.Change{}, Next: found.Next}
	for _, c := range found.Rows {
		page.Changes = append(page.Changes, client.Change{
			Sequence: c.Seq, At: c.At, Kind: c.Kind, Actor: client.Actor(c.Actor),
			AccountID: c.AccountID, KeyID: c.KeyID, MemberID: c.MemberID, OperatorKeyID: c.OperatorKeyID, Detail: c.Detail,
		})
	}
	return page, nil
}

// unknownKind returns the error for a kind of change that does not exist.
func unknownKind(kind toksta.ChangeKind) error {
	kinds := toksta.ChangeKinds()
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	slices.Sort(names)
	return toksta.Invalid("kind", fmt.Sprintf("There is no kind of change %.60q. Choose from: %s.", kind, strings.Join(names, ", ")))
}

// nodes lists the nodes with their leases. A node is stale if its last
// renewal, by the clock of the database, is older than its lease.
func (s server) nodes(ctx context.Context, _ toksta.Actor, _ struct{}) (client.NodeList, error) {
	rows, err := s.Cluster.ListNodes(ctx)
	if err != nil {
		return client.NodeList{}, err
	}
	list := client.NodeList{Nodes: []client.Node{}}
	for _, n := range rows {
		list.Nodes = append(list.Nodes, client.Node{
			Name: n.ID, Epoch: n.Epoch, Version: n.Version, Applied: n.Applied, Keys: n.Keys,
			Lease: n.Lease.String(), SeenAt: n.SeenAt, Stale: n.Stale(s.Now()),
		})
	}
	return list, nil
}

// whoAmI returns the author of the request with the rights that decide it.
func (s server) whoAmI(ctx context.Context, by toksta.Actor, _ struct{}) (client.Caller, error) {
	id, _ := ctx.Value(identityKey{}).(identity)
	out := client.Caller{
		OperatorKeyID: id.key.ID, Name: by.Name, Roles: id.key.Roles, Networks: id.key.Networks, Address: by.Address, Version: s.Version,
	}
	if id.key.ExpiresAt != 0 {
		out.ExpiresAt = time.UnixMilli(id.key.ExpiresAt).UTC()
	}
	return out, nil
}

// health runs all probes, one after another.
func (s server) health(ctx context.Context, _ toksta.Actor, _ struct{}) (client.Health, error) {
	out := client.Health{Version: s.Version, Now: s.Now(), Data: s.Data, Checks: []client.Check{}}
	for _, p := range append([]Probe{s.nodesProbe()}, s.Probes...) {
		check := client.Check{Name: p.Name, Level: client.LevelOK}
		detail, err := p.Run(ctx)
		check.Detail = detail
		if w, ok := errors.AsType[Warning](err); ok {
			check.Level, check.Detail, check.Fix = client.LevelWarn, w.Detail, w.Fix
		} else if err != nil {
			check.Level, check.Detail, check.Fix = client.LevelFail, err.Error(), p.Fix
		}
		out.Checks = append(out.Checks, check)
	}
	return out, nil
}

// nodesProbe fails if no node admits calls.
func (s server) nodesProbe() Probe {
	return Probe{
		Name: "nodes", Fix: "search the server's log for the reason why it cannot renew its lease",
		Run: func(ctx context.Context) (string, error) {
			rows, err := s.Cluster.ListNodes(ctx)
			if err != nil {
				return "", err
			}
			stale := 0
			for _, n := range rows {
				if n.Stale(s.Now()) {
					stale++
				}
			}
			live := len(rows) - stale
			if live == 0 {
				err = fmt.Errorf("no node has renewed its lease: every call gets 503")
			}
			text := fmt.Sprintf("%d live", live)
			if stale > 0 {
				text += fmt.Sprintf(", %d stale: the next change waits for those once", stale)
			}
			return text, err
		},
	}
}
