package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// keysRevokeMany returns the command that revokes all selected keys in one
// change, for example after a leak.
func (c *cli) keysRevokeMany() *cobra.Command {
	var r client.RevokeManyRequest
	before, digests, ids := "", "", ""
	yes := false
	cmd := &cobra.Command{
		Use: "revoke-many", Short: "Revoke all keys that meet every condition, in one change", Args: exactArgs(),
		Example: `  toksta keys revoke-many --account acct_01… --created-before 2026-06-01 --dry-run
  toksta keys revoke-many --digests leaked.txt --yes`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if r.CreatedBefore, err = parseTime(before); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.Digests, err = c.readWords(digests); err != nil {
				return err
			}
			listed, err := c.readWords(ids)
			if err != nil {
				return err
			}
			for _, id := range listed {
				r.Keys = append(r.Keys, toksta.KeyID(id))
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.revokeMany(ctx, api, r, yes)
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "keys of this account")
	cmd.Flags().StringVar(&r.CreatedBy, "created-by", "", "keys that this `member` (an e-mail address or an id), or operator, created")
	cmd.Flags().StringVar(&before, "created-before", "", "keys created before this `time`: 2026-06-01 (00:00 UTC) or RFC 3339")
	cmd.Flags().StringVar(&digests, "digests", "", "keys by the SHA-256 digests of their secrets, one per line of this `file`")
	cmd.Flags().StringVar(&ids, "ids", "", "keys by their ids, one per line of this `file`")
	cmd.Flags().BoolVar(&r.SkipUnknown, "skip-unknown", false, "ignore unknown ids and digests instead of returning an error")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "list the keys, revoke none")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// revokeMany selects the keys with a dry run, asks for a confirmation unless yes is
// true, and revokes them in one change. If all are revoked already, it does not ask,
// but still waits for every node: an earlier command may have been interrupted.
func (c *cli) revokeMany(ctx context.Context, api *client.Client, r client.RevokeManyRequest, yes bool) error {
	dry := r.DryRun
	r.DryRun = true
	selected, err := api.RevokeKeys(ctx, r)
	if err != nil {
		return err
	}
	if selected.Unknown > 0 {
		c.say("%d ids or digests do not exist and are ignored.", selected.Unknown)
	}
	if dry {
		c.say("%d keys are selected.", len(selected.Keys))
		return c.show(selected.Keys, keyTable(selected.Keys...))
	}
	if len(selected.Keys) == 0 {
		c.say("Every key that meets the conditions is already revoked or expired.")
		yes = true
	}
	if !yes {
		if err := c.show(selected.Keys, keyTable(selected.Keys...)); err != nil {
			return err
		}
	}
	if err := c.confirm(yes, "revoke", fmt.Sprintf("Revoking %d keys", len(selected.Keys))); err != nil {
		return err
	}
	r.DryRun = false
	revoked, err := api.RevokeKeys(ctx, r)
	if err != nil {
		return err
	}
	c.printReceipt(revoked.Receipt)
	if !yes {
		return nil
	}
	return c.show(revoked.Keys, keyTable(revoked.Keys...))
}

// parseTime parses a date, which means 00:00 UTC, or an RFC 3339 time. It returns nil
// for "".
func parseTime(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	return nil, fmt.Errorf("%q is not a time; write 2026-06-01 or RFC 3339", text)
}

// readWords returns the words of a file, separated by white space, or nil if file is "".
// A file without words is an error: an empty list would be no condition, and more keys
// would be selected.
func (c *cli) readWords(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	content, err := c.textFile(file)
	if err != nil {
		return nil, err
	}
	listed := strings.Fields(content)
	if len(listed) == 0 {
		return nil, fmt.Errorf("%s contains no key", file)
	}
	return listed, nil
}
