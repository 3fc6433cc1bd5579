package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// usageReport holds the part of the usage document that the table shows.
type usageReport struct {
	Period     string              `json:"period"` // YYYY-MM, UTC
	Calls      int64               `json:"total_calls"`
	Credits    int64               `json:"total_credits_charged"`
	OverageUSD json.Number         `json:"total_overage_usd"` // in the default currency
	Currency   string              `json:"currency"`          // "" for the default one
	Overage    json.Number         `json:"total_overage"`     // in any other currency
	Plan       toksta.PlanID       `json:"subscription_plan"`
	Status     string              `json:"subscription_status"`
	Refused    map[string]int64    `json:"refused"` // rejected calls by reason
	Operations map[string]struct { // operations with a price, by cost key
		Calls      int64       `json:"calls"`
		Credits    int64       `json:"credits_charged"`
		OverageUSD json.Number `json:"overage_amount_usd"`
		Overage    json.Number `json:"overage_amount"`
	} `json:"operations"`
}

// usage returns the command that prints the document of the API's usage call, or
// with --by a table of the same numbers by one dimension.
func (c *cli) usage() *cobra.Command {
	var by, from, to, month string
	cmd := &cobra.Command{
		Use: "usage ACCOUNT", Short: "Show an account's usage: a month as the API reports it, or a table by one dimension", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := client.UsageByRequest{AccountRef: accountRef(args[0]), By: by, Month: month}
			if by == "" && from+to != "" {
				return usageError{fmt.Errorf("--from and --to need --by"), cmd.CommandPath()}
			}
			var err error
			if r.From, err = parseTime(from); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.To, err = parseTime(to); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				if by == "" {
					return c.showMonth(ctx, api, client.UsageRequest{AccountRef: r.AccountRef, Month: month})
				}
				t, err := api.UsageBy(ctx, r)
				if err != nil {
					return err
				}
				return c.show(t, breakdownTable(t))
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "group by `DIMENSION`: key, family, operation, hour, day or reason")
	cmd.Flags().StringVar(&month, "month", "", "`YYYY-MM`, UTC (default: this month)")
	cmd.Flags().StringVar(&from, "from", "", "with --by, instead of a month: first `TIME`, 2026-06-01 (00:00 UTC) or RFC 3339")
	cmd.Flags().StringVar(&to, "to", "", "`TIME` before which it ends (default: now)")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(
		[]string{"key", "family", "operation", "hour", "day", "reason"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// showMonth prints the usage document of a month, or its table.
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

// usageTable lists operations with a price, then all calls, then rejected calls by
// reason.
func usageTable(r usageReport) table {
	t := table{header: []string{"period", "operation", "calls", "credits", overageHeader(r.Currency)}}
	for _, name := range slices.Sorted(maps.Keys(r.Operations)) {
		o := r.Operations[name]
		t.add(r.Period, name, strconv.FormatInt(o.Calls, 10), strconv.FormatInt(o.Credits, 10), cmp.Or(o.OverageUSD, o.Overage).String())
	}
	t.add(r.Period, "all, free ones too", strconv.FormatInt(r.Calls, 10), strconv.FormatInt(r.Credits, 10), cmp.Or(r.OverageUSD, r.Overage).String())
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		t.add(r.Period, "refused: "+reason, strconv.FormatInt(r.Refused[reason], 10), "", "")
	}
	return t
}

// overageHeader returns the header of a column with amounts; "" stands for the
// default currency.
func overageHeader(currency string) string {
	return "overage " + strings.ToLower(toksta.Currency(currency).Code())
}

// breakdownTable lists usage by one dimension, and its sum in the last row.
func breakdownTable(t client.UsageTable) table {
	out := table{header: []string{t.By, "calls", "refused", "credits", overageHeader(t.Currency)}}
	if t.By == "key" {
		out.header = slices.Insert(out.header, 1, "name")
	}
	add := func(of, name string, s client.UsageSum) {
		row := []string{of, strconv.FormatInt(s.Calls, 10), strconv.FormatInt(s.Refused, 10), strconv.FormatInt(s.Credits, 10), s.Price().String()}
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
