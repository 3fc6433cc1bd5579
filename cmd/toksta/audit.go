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

// audit returns the command that prints the change log, which has one row for
// each change.
func (c *cli) audit() *cobra.Command {
	var r client.AuditRequest
	cmd := &cobra.Command{
		Use: "audit", Short: "List changes and their actors, newest first", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(r.Limit, func(before int64, n int) ([]client.Change, int64, error) {
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
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "only changes of this account")
	cmd.Flags().StringVar((*string)(&r.Key), "key", "", "only changes of this key")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "largest number of changes; 0: all")
	c.addColumns(cmd)
	_ = cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeAccounts(cmd, nil, typed)
	})
	return cmd
}

// changeTable lists changes. The details of a change are one cell, sorted by name.
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
		t.add(strconv.FormatInt(change.Sequence, 10), formatTime(change.At), string(change.Kind), by,
			change.Actor.Address, string(change.AccountID), subject, strings.Join(details, "; "))
	}
	return t
}
