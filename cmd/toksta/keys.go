package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// keys returns the commands for keys. The audit trail records the operator as the
// actor.
func (c *cli) keys() *cobra.Command {
	return commandGroup("keys", "Manage API keys",
		c.keysCreate(), c.keysList(), c.keysShow(), c.keysRename(), c.keysRotate(),
		c.keysRevoke(), c.keysRevokeMany(), c.keysSetScopes(), c.keysSetExternalID(), c.keysSetMetadata(), c.keysImport(),
	)
}

// keysCreate returns the command that creates a key under the same conditions as
// the account page: a plan, a billing state that admits, and API access. The
// secret is the only line of data.
func (c *cli) keysCreate() *cobra.Command {
	var r client.CreateKeyRequest
	var scopes, networks []string
	var pairs *[]string
	expires, lastDay := "", ""
	cmd := &cobra.Command{
		Use: "create ACCOUNT NAME", Short: "Create a key and show its secret, once", Args: exactArgs("ACCOUNT", "NAME"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta keys create acct_01… "Nightly export" --scope data,job --expires 90d`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.Account, r.Name, r.Scopes = toksta.AccountID(args[0]), args[1], toFamilies(scopes)
			if r.Networks, err = parseNetworks(networks); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.Metadata, err = parsePairs(*pairs); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.ExpiresAt, err = parseExpiry(expires, time.Now()); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if lastDay != "" {
				day, err := time.Parse(time.DateOnly, lastDay)
				if err != nil {
					return usageError{fmt.Errorf("%q is not a day; write 2027-01-31", lastDay), cmd.CommandPath()}
				}
				r.ExpiresAt = new(toksta.EndOfDay(day))
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printSecret(api.CreateKey(ctx, r))
			})
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "endpoint `families` that the key may call (default: all of the plan)")
	cmd.Flags().StringSliceVar(&networks, "network", nil, "`networks` that may send the key, such as 203.0.113.0/24 (default: any)")
	cmd.Flags().IntVar(&r.PerMinute, "per-minute", 0, "rate limit of the key, below the account's")
	cmd.Flags().StringVar(&expires, "expires", "", "`time` when the key expires: 90d, 12h, 2027-01-31 (00:00 UTC, at the start of the day) or RFC 3339 (default: never)")
	cmd.Flags().StringVar(&lastDay, "last-day", "", "last `day` of the key: 2027-01-31 means 2027-01-31 23:59:59 UTC")
	cmd.MarkFlagsMutuallyExclusive("expires", "last-day")
	pairs = addExternalFlags(cmd, &r.ExternalID)
	return cmd
}

// keysList returns the command that prints the keys of one account, or of all
// accounts.
func (c *cli) keysList() *cobra.Command {
	var r client.ListKeysRequest
	cmd := &cobra.Command{
		Use: "list [ACCOUNT]", Short: "List keys, or search for them", Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.completeAccounts,
		Long: "List keys in the order of their creation. With several conditions, a key meets all of\n" +
			"them. --name finds names by their start, in the order of names. --start and --end are\n" +
			"all characters that lists show of that end of a secret, current or rotated: never give\n" +
			"a whole secret. With --start, --end or --external-id, revoked keys are found too.",
		Example: `  toksta keys list crm-42 --state expired
  toksta keys list --start a1b2 --end 9f0e`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Account = toksta.AccountID(args[0])
			}
			r.Revoked = r.Revoked || r.Start != "" || r.End != "" || r.ExternalID != ""
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(r.Limit, func(after toksta.KeyID, n int) ([]client.Key, toksta.KeyID, error) {
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
	cmd.Flags().StringVar(&r.Name, "name", "", "keys whose names start with this `text`; A to Z in any case")
	cmd.Flags().StringVar(&r.ExternalID, "external-id", "", "key with this external `id`")
	cmd.Flags().StringVar(&r.Start, "start", "", "keys with these visible first `characters`, such as a1b2 or tk_live_a1b2")
	cmd.Flags().StringVar(&r.End, "end", "", "keys with these visible last `characters`, such as 9f0e")
	cmd.Flags().StringVar((*string)(&r.State), "state", "", "keys in this `state`: live, expired or revoked")
	cmd.Flags().BoolVar(&r.Revoked, "revoked", false, "include revoked keys")
	cmd.Flags().IntVar(&r.Limit, "limit", 0, "largest number of keys (default: all)")
	return cmd
}

// keyTable lists keys with the previews of their secrets.
func keyTable(keys ...client.Key) table {
	t := table{header: []string{"id", "account", "name", "secret", "state", "scopes", "created", "by", "expires", "external id"}}
	for _, k := range keys {
		t.add(string(k.ID), string(k.AccountID), k.Name, k.Preview, string(k.State), joinOr(k.Scopes, "all"), formatTime(k.CreatedAt), k.CreatedBy, formatTime(k.ExpiresAt), k.ExternalID)
	}
	return t
}

// keysShow returns the command that prints one key with its state in words, its calls
// and the preview of each generation.
func (c *cli) keysShow() *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Show a key: its state, rights, use and secrets", Args: exactArgs("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				k, err := api.Key(ctx, keyRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(k, keyFields(k, time.Now()))
			})
		},
	}
}

// keysRename returns the command that changes the name of a key, which does not
// affect calls.
func (c *cli) keysRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename KEY NAME", Short: "Change the name of a key", Args: exactArgs("KEY", "NAME"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printKey(api.RenameKey(ctx, client.RenameKeyRequest{KeyRef: keyRef(args[0]), Name: args[1]}))
			})
		},
	}
}

// keysRotate returns the command that replaces the secret of a key. It asks for a
// confirmation, because programs with the old secret stop working. If the secret
// was rotated since the confirmation, the server rejects the request.
func (c *cli) keysRotate() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "rotate KEY", Short: "Replace a key's secret; the old one is rejected at once", Args: exactArgs("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				key, err := api.Key(ctx, keyRef(args[0]))
				if err != nil {
					return err
				}
				if err := c.confirm(yes, args[0], fmt.Sprintf("Revoking the secret %s of %s", key.Preview, args[0])); err != nil {
					return err
				}
				return c.printSecret(api.RotateKey(ctx, client.RotateKeyRequest{KeyRef: keyRef(args[0]), Generation: key.Generations[len(key.Generations)-1].Number}))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// keysRevoke returns the command that revokes keys one after another, after one
// confirmation. If an id is unknown, it revokes no key. On another failure it
// stops, and the keys before it remain revoked.
func (c *cli) keysRevoke() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "revoke KEY...", Short: "Revoke keys permanently, and return when every node rejects them", Args: minArgs("KEY..."), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
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
					response, err := api.RevokeKey(ctx, keyRef(id))
					if err != nil {
						return fmt.Errorf("revoke %s: %w", id, err)
					}
					c.printReceipt(response.Receipt)
					revoked = append(revoked, response.Key)
				}
				return c.show(revoked, keyTable(revoked...))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// keysSetScopes returns the command that replaces the scope of a key. Only --all
// removes the limit, so that an empty list by mistake does not widen a key.
func (c *cli) keysSetScopes() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "set-scopes KEY (FAMILY... | --all)", Short: "Limit a key to endpoint families", Args: minArgs("KEY"), ValidArgsFunction: c.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			scopes := toFamilies(args[1:])
			if all == (len(scopes) > 0) {
				return usageError{fmt.Errorf("expected either families or --all"), cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printKey(api.SetKeyLimits(ctx, client.SetLimitsRequest{KeyRef: keyRef(args[0]), Scopes: &scopes}))
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "allow every family of the plan")
	return cmd
}

// keyRef refers to a key without its account, which only the operator API allows.
func keyRef(id string) client.KeyRef { return client.KeyRef{Key: toksta.KeyID(id)} }

// printKey prints a changed key, and its receipt on standard error.
func (c *cli) printKey(response client.KeyResponse, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	return c.show(response, keyTable(response.Key))
}

// printSecret prints a secret as the only line of data, so that it can be piped
// into a vault.
func (c *cli) printSecret(response client.SecretResponse, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	c.say("Key %s (%s). The secret is shown only once:", response.Key.ID, printable(response.Key.Name))
	return c.show(response, table{rows: [][]string{{response.Secret}}})
}
