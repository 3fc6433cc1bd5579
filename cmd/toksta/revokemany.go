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

// keysRevokeMany is for the day of a leak: one change ends all selected keys, so
// none of them outlives another.
func (c *cli) keysRevokeMany() *cobra.Command {
	var r client.RevokeManyRequest
	before, digests, ids := "", "", ""
	yes := false
	cmd := &cobra.Command{
		Use: "revoke-many", Short: "End all keys that meet every condition, as one change", Args: exact(),
		Example: `  toksta keys revoke-many --account acct_01… --created-before 2026-06-01 --dry-run
  toksta keys revoke-many --digests leaked.txt --yes`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if r.CreatedBefore, err = past(before); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.Digests, err = c.lines(digests); err != nil {
				return err
			}
			listed, err := c.lines(ids)
			if err != nil {
				return err
			}
			for _, id := range listed {
				r.Keys = append(r.Keys, toksta.KeyID(id))
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.revokeMany(ctx, api, r, yes)
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "keys of this account")
	cmd.Flags().StringVar(&r.CreatedBy, "created-by", "", "keys that this `member` created, by id as accounts show lists it, or operator")
	cmd.Flags().StringVar(&before, "created-before", "", "keys made before this `time`: 2026-06-01 (00:00 UTC) or RFC 3339")
	cmd.Flags().StringVar(&digests, "digests", "", "keys by the SHA-256 digests of their secrets, one a line in this `file`")
	cmd.Flags().StringVar(&ids, "ids", "", "keys by their ids, one a line in this `file`")
	cmd.Flags().BoolVar(&r.SkipUnknown, "skip-unknown", false, "pass over ids and digests that do not exist; without it they are an error")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "list them, revoke none")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "revoke them without asking")
	return cmd
}

// revokeMany is a dry run first: unless yes was said, it lists the keys and
// asks before it revokes them, as one change that is waited for once. Where all
// are revoked already it does not ask, but waits until every node knows: an
// earlier command may have been interrupted.
func (c *cli) revokeMany(ctx context.Context, api *client.Client, r client.RevokeManyRequest, yes bool) error {
	dry := r.DryRun
	r.DryRun = true
	selected, err := api.RevokeKeys(ctx, r)
	if err != nil {
		return err
	}
	if selected.Unknown > 0 {
		c.say("%d ids or digests do not exist and are skipped.", selected.Unknown)
	}
	if dry {
		c.say("%d keys are selected.", len(selected.Keys))
		return c.show(selected.Keys, keyTable(selected.Keys...))
	}
	if len(selected.Keys) == 0 {
		c.say("Every key that meets the conditions has ended already.")
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
	c.receipt(revoked.Receipt)
	if !yes {
		return nil
	}
	return c.show(revoked.Keys, keyTable(revoked.Keys...))
}

// past reads a date, at its first moment in UTC, or an RFC 3339 time; "" is none.
func past(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	return nil, fmt.Errorf("%q is no time; write 2026-06-01 or RFC 3339", text)
}

// lines returns the lines of a file that are not blank; none for no file. One
// that names nothing is refused, since a condition left out selects more.
func (c *cli) lines(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	content, err := c.textFile(file)
	if err != nil {
		return nil, err
	}
	listed := strings.Fields(content)
	if len(listed) == 0 {
		return nil, fmt.Errorf("%s names no key", file)
	}
	return listed, nil
}
