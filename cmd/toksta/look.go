package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// audit prints the change log: every change there ever was has one row in it.
func (c *cli) audit() *cobra.Command {
	var r client.AuditRequest
	cmd := &cobra.Command{
		Use: "audit", Short: "Show who changed what, newest first", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(r.Limit, func(before int64, n int) ([]client.Change, int64, error) {
					q := r
					q.Before, q.Limit = before, n
					page, err := api.Audit(ctx, q)
					return page.Changes, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, changeTable(all))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "changes of this account alone")
	cmd.Flags().StringVar((*string)(&r.Key), "key", "", "changes of this key alone")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "at most so many; 0 for all")
	_ = cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeAccounts(cmd, nil, typed)
	})
	return cmd
}

// changeTable puts the fields of a change's detail in one cell, sorted by name.
func changeTable(changes []client.Change) table {
	t := table{header: []string{"seq", "at", "change", "by", "from", "account", "subject", "detail"}}
	for _, change := range changes {
		subject := string(change.KeyID)
		if subject == "" {
			subject = string(change.MemberID)
		}
		details := []string{}
		for _, name := range slices.Sorted(maps.Keys(change.Detail)) {
			if value := change.Detail[name]; value != "" {
				details = append(details, name+": "+value)
			}
		}
		by := string(change.Actor.Kind)
		if change.Actor.Name != "" {
			by += " " + change.Actor.Name
		}
		t.add(strconv.FormatInt(change.Sequence, 10), stamp(change.At), string(change.Kind), by,
			change.Actor.Address, string(change.AccountID), subject, strings.Join(details, "; "))
	}
	return t
}

// nodes prints who must confirm a change before it counts as enforced.
func (c *cli) nodes() *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "List the nodes that changes wait for", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := api.Nodes(ctx)
				if err != nil {
					return err
				}
				t := table{header: []string{"name", "version", "applied", "secrets", "lease", "seen", "state"}}
				for _, n := range all.Nodes {
					state := "live"
					if n.Stale {
						state = "stale"
					}
					t.add(n.Name, n.Version, strconv.FormatInt(n.Applied, 10), strconv.FormatInt(n.Keys, 10), n.Lease, stamp(n.SeenAt), state)
				}
				return c.show(all.Nodes, t)
			})
		},
	}
}
