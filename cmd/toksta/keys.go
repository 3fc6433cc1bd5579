package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// keys groups the life of a key, as an operator may shape it for a customer. The
// audit trail names the operator as the one who did it.
func (c *cli) keys() *cobra.Command {
	return noun("keys", "Manage API keys",
		c.keysCreate(), c.keysList(), c.keysShow(), c.keysRename(), c.keysRotate(),
		c.keysRevoke(), c.keysRevokeMany(), c.keysSetScopes(), c.keysImport(),
	)
}

// keysCreate asks of the account what its own page would: a plan, paid billing
// and API access. The secret is the only line of data.
func (c *cli) keysCreate() *cobra.Command {
	var r client.CreateKeyRequest
	var scopes, networks []string
	expires, lastDay := "", ""
	cmd := &cobra.Command{
		Use: "create ACCOUNT NAME", Short: "Make a key and show its secret, once", Args: exact("ACCOUNT", "NAME"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta keys create acct_01… "Nightly export" --scope data,job --expires 90d`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.Account, r.Name, r.Scopes = toksta.AccountID(args[0]), args[1], families(scopes)
			if r.Networks, err = prefixes(networks); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.ExpiresAt, err = expiry(expires, time.Now()); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if lastDay != "" {
				day, err := time.Parse(time.DateOnly, lastDay)
				if err != nil {
					return usageError{fmt.Errorf("%q is no day; write 2027-01-31", lastDay), cmd.CommandPath()}
				}
				r.ExpiresAt = new(toksta.EndOfDay(day))
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.secretAnswer(api.CreateKey(ctx, r))
			})
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "endpoint `families` the key may reach (default: all of the plan)")
	cmd.Flags().StringSliceVar(&networks, "network", nil, "`networks` it may be sent from, such as 203.0.113.0/24 (default: any)")
	cmd.Flags().IntVar(&r.PerMinute, "per-minute", 0, "its own rate limit, below the account's")
	cmd.Flags().StringVar(&expires, "expires", "", "`time` it ends: 90d, 12h, 2027-01-31 (00:00 UTC, as that day begins) or RFC 3339 (default: never)")
	cmd.Flags().StringVar(&lastDay, "last-day", "", "`day` at whose end it ends, 2027-01-31 for 2027-01-31 23:59:59 UTC")
	cmd.MarkFlagsMutuallyExclusive("expires", "last-day")
	return cmd
}

// keysList follows the pages to the end, of one account or of all.
func (c *cli) keysList() *cobra.Command {
	var r client.ListKeysRequest
	cmd := &cobra.Command{
		Use: "list [ACCOUNT]", Short: "List keys", Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Account = toksta.AccountID(args[0])
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(r.Limit, func(after toksta.KeyID, n int) ([]client.Key, toksta.KeyID, error) {
					q := r
					q.After, q.Limit = after, n
					page, err := api.ListKeys(ctx, q)
					return page.Keys, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, keyTable(all...))
			})
		},
	}
	cmd.Flags().BoolVar(&r.Revoked, "revoked", false, "revoked keys too")
	cmd.Flags().IntVar(&r.Limit, "limit", 0, "at most so many (default all)")
	return cmd
}

// keyTable shows of each secret the characters that may be seen.
func keyTable(keys ...client.Key) table {
	t := table{header: []string{"id", "account", "name", "secret", "state", "scopes", "created", "by", "expires"}}
	for _, k := range keys {
		t.add(string(k.ID), string(k.AccountID), k.Name, k.Preview, string(k.State), list(k.Scopes, "all"), stamp(k.CreatedAt), k.CreatedBy, stamp(k.ExpiresAt))
	}
	return t
}

// keysShow prints one key with every secret that it ever had, by its ends.
func (c *cli) keysShow() *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Show a key and the generations of its secret", Args: exact("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				k, err := api.Key(ctx, keyRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(k, keySheet(k))
			})
		},
	}
}

// keySheet turns one key on its side: a field a line.
func keySheet(k client.Key) table {
	networks := make([]string, len(k.Networks))
	for i, n := range k.Networks {
		networks[i] = n.String()
	}
	t := table{header: []string{"field", "value"}}
	t.add("id", string(k.ID))
	t.add("account", string(k.AccountID))
	t.add("name", k.Name)
	t.add("state", string(k.State))
	t.add("scopes", list(k.Scopes, "all of the plan"))
	t.add("networks", list(networks, "any"))
	if k.PerMinute > 0 {
		t.add("per minute", strconv.Itoa(k.PerMinute))
	}
	by := k.CreatedBy
	if k.CreatedByID != "" {
		by += " (" + string(k.CreatedByID) + ")"
	}
	t.add("created", stamp(k.CreatedAt)+" by "+by)
	t.add("expires", stamp(k.ExpiresAt))
	t.add("revoked", stamp(k.RevokedAt))
	for _, g := range k.Generations {
		text := g.Preview + " since " + stamp(g.CreatedAt)
		if !g.RevokedAt.IsZero() {
			text += ", revoked " + stamp(g.RevokedAt)
		}
		t.add(fmt.Sprintf("generation %d", g.Number), text)
	}
	return t
}

// keysRename changes what people call a key; nothing that is admitted changes.
func (c *cli) keysRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename KEY NAME", Short: "Give a key another name", Args: exact("KEY", "NAME"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.keyAnswer(api.RenameKey(ctx, client.RenameKeyRequest{KeyRef: keyRef(args[0]), Name: args[1]}))
			})
		},
	}
}

// keysRotate asks first, since the customer's running programs stop at that
// moment. It replaces the secret that it asked about and no newer one.
func (c *cli) keysRotate() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "rotate KEY", Short: "Replace a key's secret; the old one stops at once", Args: exact("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				key, err := api.Key(ctx, keyRef(args[0]))
				if err != nil {
					return err
				}
				if err := c.confirm(yes, args[0], fmt.Sprintf("Ending the secret %s of %s", key.Preview, args[0])); err != nil {
					return err
				}
				return c.secretAnswer(api.RotateKey(ctx, client.RotateKeyRequest{KeyRef: keyRef(args[0]), Generation: key.Generations[len(key.Generations)-1].Number}))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// keysRevoke looks all the keys up that are named, asks once, then ends one
// after another. An unknown id is an error before any key is revoked. It stops at
// the first failure; those before it are revoked and stay so.
func (c *cli) keysRevoke() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "revoke KEY...", Short: "End keys for good, on every node, before returning", Args: atLeast("KEY..."), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				for _, id := range args {
					switch _, err := api.Key(ctx, keyRef(id)); {
					case errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound}):
						return fmt.Errorf("there is no key %q; nothing was revoked", id)
					case err != nil:
						return err
					}
				}
				if err := c.confirm(yes, args[0], "Revoking "+strings.Join(args, ", ")); err != nil {
					return err
				}
				var revoked []client.Key
				for _, id := range args {
					answer, err := api.RevokeKey(ctx, keyRef(id))
					if err != nil {
						return fmt.Errorf("revoke %s: %w", id, err)
					}
					c.receipt(answer.Receipt)
					revoked = append(revoked, answer.Key)
				}
				return c.show(revoked, keyTable(revoked...))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// keysSetScopes replaces the list of families. Lifting the limit has a flag of
// its own: an empty list by mistake must not widen a key.
func (c *cli) keysSetScopes() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "set-scopes KEY (FAMILY... | --all)", Short: "Limit a key to endpoint families", Args: atLeast("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			scopes := families(args[1:])
			if all == (len(scopes) > 0) {
				return usageError{fmt.Errorf("name the families, or lift the limit with --all"), cmd.CommandPath()}
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.keyAnswer(api.SetKeyLimits(ctx, client.SetLimitsRequest{KeyRef: keyRef(args[0]), Scopes: &scopes}))
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every family of the plan")
	return cmd
}

// keyRef names a key of any account, as only an operator may.
func keyRef(id string) client.KeyRef { return client.KeyRef{Key: toksta.KeyID(id)} }

// keyAnswer prints a changed key, its receipt on standard error.
func (c *cli) keyAnswer(answer client.KeyAnswer, err error) error {
	if err != nil {
		return err
	}
	c.receipt(answer.Receipt)
	return c.show(answer, keyTable(answer.Key))
}

// secretAnswer prints a secret as the only line of data, so that it can be
// piped into a vault.
func (c *cli) secretAnswer(answer client.SecretAnswer, err error) error {
	if err != nil {
		return err
	}
	c.receipt(answer.Receipt)
	c.say("Key %s (%s). The secret is shown this once:", answer.Key.ID, printable(answer.Key.Name))
	return c.show(answer, table{rows: [][]string{{answer.Secret}}})
}
