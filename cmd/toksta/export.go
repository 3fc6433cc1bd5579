package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// export returns the commands for the export of usage.
func (c *cli) export() *cobra.Command {
	return commandGroup("export", "Export usage for billing", c.exportStatus(), c.exportCSV())
}

// exportStatus returns the command that prints the progress of the server's
// export.
func (c *cli) exportStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the progress and the failures of the export", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				s, err := api.ExportStatus(ctx)
				if err != nil {
					return err
				}
				t := table{header: []string{"state", "through", "waiting", "delivered", "last", "failure"}}
				n := func(i int64) string { return strconv.FormatInt(i, 10) }
				switch {
				case !s.On:
					t.add("off", "", "", n(s.Delivered), formatTime(s.DeliveredAt), "")
				case s.Failure != "":
					t.add("failing", formatTime(s.Through), n(s.Waiting), n(s.Delivered), formatTime(s.DeliveredAt), s.Failure+" ("+formatTime(s.FailedAt)+")")
				default:
					t.add("on", formatTime(s.Through), n(s.Waiting), n(s.Delivered), formatTime(s.DeliveredAt), "")
				}
				return c.show(s, t)
			})
		},
	}
}

// exportCSV returns the command that streams usage as CSV. It ignores --output,
// because the other formats would hold all rows in memory.
func (c *cli) exportCSV() *cobra.Command {
	var from, to, account, by string
	cmd := &cobra.Command{
		Use: "csv", Short: "Write the usage of all accounts as CSV", Args: exactArgs(),
		Example: "  toksta export csv --from 2026-05-01 --to 2026-06-01 --by day > may.csv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := client.UsageTableRequest{Account: toksta.AccountID(account), Daily: by == "day"}
			if by != "day" && by != "hour" {
				return usageError{fmt.Errorf("--by %q is neither hour nor day", by), cmd.CommandPath()}
			}
			for _, bound := range []struct {
				text string
				at   *time.Time
			}{{from, &r.From}, {to, &r.To}} {
				t, err := parseTime(bound.text)
				if err != nil {
					return usageError{err, cmd.CommandPath()}
				}
				if t == nil {
					return usageError{errors.New("set the first day with --from, and the day after the last one with --to"), cmd.CommandPath()}
				}
				*bound.at = *t
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error { return api.UsageTable(ctx, r, c.csvOut()) })
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first `day`, from 00:00 UTC, or an RFC 3339 time")
	cmd.Flags().StringVar(&to, "to", "", "`day` after the last one, at 00:00 UTC, or an RFC 3339 time")
	cmd.Flags().StringVar(&account, "account", "", "only usage of this account")
	cmd.Flags().StringVar(&by, "by", "hour", "one row for each `hour` or day")
	for _, name := range []string{"from", "to"} {
		_ = cmd.MarkFlagRequired(name)
	}
	_ = cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeAccounts(cmd, nil, typed)
	})
	return cmd
}
