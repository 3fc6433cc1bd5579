package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/client"
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

// usageReport is what the table shows of the usage document.
type usageReport struct {
	Period     string              `json:"period"` // YYYY-MM, UTC
	Calls      int64               `json:"total_calls"`
	Credits    int64               `json:"total_credits_charged"`
	Overage    json.Number         `json:"total_overage_usd"`
	Plan       toksta.PlanID       `json:"subscription_plan"`
	Status     string              `json:"subscription_status"`
	Refused    map[string]int64    `json:"refused"` // calls by reason
	Operations map[string]struct { // those that cost credits, by cost key
		Calls   int64       `json:"calls"`
		Credits int64       `json:"credits_charged"`
		Overage json.Number `json:"overage_amount_usd"`
	} `json:"operations"`
}

// usage prints the very document that the account's own usage call answers with;
// the table is a part of it.
func (c *cli) usage() *cobra.Command {
	month := ""
	cmd := &cobra.Command{
		Use: "usage ACCOUNT", Short: "Show an account's month, as its own usage call answers it", Args: exact("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				document, err := api.Usage(ctx, client.UsageRequest{AccountRef: accountRef(args[0]), Month: month})
				if err != nil {
					return err
				}
				var report usageReport
				if err := json.Unmarshal(document, &report); err != nil {
					return fmt.Errorf("read the usage document: %w", err)
				}
				return c.show(document, usageTable(report))
			})
		},
	}
	cmd.Flags().StringVar(&month, "month", "", "`YYYY-MM`, UTC (default: this month)")
	return cmd
}

// usageTable lists what cost credits, then all calls, then refusals by reason.
func usageTable(r usageReport) table {
	t := table{header: []string{"period", "operation", "calls", "credits", "overage usd"}}
	for _, name := range slices.Sorted(maps.Keys(r.Operations)) {
		o := r.Operations[name]
		t.add(r.Period, name, strconv.FormatInt(o.Calls, 10), strconv.FormatInt(o.Credits, 10), o.Overage.String())
	}
	t.add(r.Period, "all, free ones too", strconv.FormatInt(r.Calls, 10), strconv.FormatInt(r.Credits, 10), r.Overage.String())
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		t.add(r.Period, "refused: "+reason, strconv.FormatInt(r.Refused[reason], 10), "", "")
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
