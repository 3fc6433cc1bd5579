package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// audit returns the command that prints the change log, which has one row for
// each change.
func (c *cli) audit() *cobra.Command {
	var r client.AuditRequest
	since, until := "", ""
	cmd := &cobra.Command{
		Use: "audit", Short: "List changes and their actors, newest first", Args: exactArgs(),
		Long: "List changes and their actors, newest first. With several conditions, a change meets\nall of them.",
		Example: `  toksta audit --actor olga --since 7d
  toksta audit --account crm-42 --kind key.revoked
  toksta audit --member ada@example.com`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if r.Since, err = parseSince(since, time.Now()); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.Until, err = parseSince(until, time.Now()); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if strings.HasPrefix(string(r.Key), toksta.PrefixOperatorKey) {
				r.OperatorKey, r.Key = toksta.OperatorKeyID(r.Key), ""
			}
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
	cmd.Flags().StringVar((*string)(&r.Key), "key", "", "only changes of this key or operator key")
	cmd.Flags().StringVar((*string)(&r.Member), "member", "", "only changes by or about this `person`: an e-mail address or an id")
	cmd.Flags().StringVar(&r.Actor, "actor", "", "only changes by this `actor`: an operator's name, the id of an operator key, a member's e-mail address or id, or operator, member or system")
	cmd.Flags().StringVar((*string)(&r.Kind), "kind", "", "only changes of this `kind`, such as key.revoked")
	cmd.Flags().StringVar(&since, "since", "", "only changes from this `time` on: 24h or 7d ago, 2026-06-01 (00:00 UTC) or RFC 3339")
	cmd.Flags().StringVar(&until, "until", "", "only changes before this `time`")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "largest number of changes; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := []string{}
		for _, kind := range toksta.ChangeKinds() {
			names = append(names, string(kind))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	_ = cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeAccounts(cmd, nil, typed)
	})
	return cmd
}

// changeTable lists changes. The details of a change are one cell, sorted by name.
func changeTable(changes []client.Change) table {
	t := table{header: []string{"seq", "at", "change", "by", "from", "account", "subject", "detail"}}
	for _, change := range changes {
		subject := cmp.Or(string(change.KeyID), string(change.MemberID), string(change.OperatorKeyID))
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
