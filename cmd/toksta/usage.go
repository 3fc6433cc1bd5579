package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

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

// usage prints the very document that the account's own usage call answers with,
// of which the table is a part, or the same numbers from one side.
func (c *cli) usage() *cobra.Command {
	var by, from, to, month string
	cmd := &cobra.Command{
		Use: "usage ACCOUNT", Short: "Show an account's month, as its own usage call answers it, or from one side", Args: exact("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := client.UsageByRequest{AccountRef: accountRef(args[0]), By: by, Month: month}
			if by == "" && from+to != "" {
				return usageError{fmt.Errorf("say what to break the time down by, with --by"), cmd.CommandPath()}
			}
			var err error
			if r.From, err = past(from); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.To, err = past(to); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				if by == "" {
					return c.showMonth(ctx, api, client.UsageRequest{AccountRef: r.AccountRef, Month: month})
				}
				t, err := api.UsageBy(ctx, r)
				if err != nil {
					return err
				}
				return c.show(t, sideTable(t))
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "break down by `SIDE`: key, family, operation, hour, day or reason")
	cmd.Flags().StringVar(&month, "month", "", "`YYYY-MM`, UTC (default: this month)")
	cmd.Flags().StringVar(&from, "from", "", "with --by, instead of a month: from `TIME` on, 2026-06-01 (00:00 UTC) or RFC 3339")
	cmd.Flags().StringVar(&to, "to", "", "up to `TIME`, which is left out (default: now)")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(
		[]string{"key", "family", "operation", "hour", "day", "reason"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// showMonth prints the whole document, or the table that is made of it.
func (c *cli) showMonth(ctx context.Context, api *client.Client, r client.UsageRequest) error {
	document, err := api.Usage(ctx, r)
	if err != nil {
		return err
	}
	var report usageReport
	if err := json.Unmarshal(document, &report); err != nil {
		return fmt.Errorf("read the usage document: %w", err)
	}
	return c.show(document, usageTable(report))
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

// sideTable ends with the sum of its rows.
func sideTable(t client.UsageTable) table {
	out := table{header: []string{t.By, "calls", "refused", "credits", "overage usd"}}
	if t.By == "key" {
		out.header = slices.Insert(out.header, 1, "name")
	}
	add := func(of, name string, s client.UsageSum) {
		row := []string{of, strconv.FormatInt(s.Calls, 10), strconv.FormatInt(s.Refused, 10), strconv.FormatInt(s.Credits, 10), s.Overage.String()}
		if t.By == "key" {
			row = slices.Insert(row, 1, name)
		}
		out.add(row...)
	}
	for _, row := range t.Rows {
		add(row.Of, row.Name, row.UsageSum)
	}
	add("all", "", t.Total)
	return out
}
