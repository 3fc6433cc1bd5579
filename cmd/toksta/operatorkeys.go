package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// operatorKeys returns the commands for the keys of the operator API.
func (c *cli) operatorKeys() *cobra.Command {
	return commandGroup("operator-keys", "Manage the keys of the operator API",
		c.operatorKeysCreate(), c.operatorKeysList(), c.operatorKeysShow(), c.operatorKeysRotate(), c.operatorKeysRevoke(),
	)
}

// operatorKeysCreate returns the command that creates an operator key. The secret is the
// only line of data.
func (c *cli) operatorKeysCreate() *cobra.Command {
	var r client.CreateOperatorKeyRequest
	var roles, networks []string
	expires := ""
	cmd := &cobra.Command{
		Use: "create NAME --role ROLE", Short: "Create an operator key and show its secret, once", Args: exactArgs("NAME"),
		Long: "Create a key for the operator API over the network, and show its secret, once. The\n" +
			"audit trail has the name of the key for each change that is made with it. The roles:\n" +
			"  read      every list, display and report, except those of operator keys\n" +
			"  support   read, and the changes of accounts and keys that reveal no secret\n" +
			"  billing   read, and plans, statuses, entitlements and credits\n" +
			"  verify    decisions about calls, and the settlement of their holds\n" +
			"  sessions  links that sign people in to the pages of any account, as any member\n" +
			"  metrics   health, nodes and counts\n" +
			"  manage    every operation, also those of operator keys",
		Example: `  toksta operator-keys create "Support desk" --role support --expires 90d
  toksta operator-keys create "API gateway" --role verify --network 10.0.0.0/8
  toksta operator-keys create "Web app" --role sessions`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.Name = args[0]
			for _, role := range roles {
				r.Roles = append(r.Roles, toksta.Role(role))
			}
			if r.Networks, err = parseNetworks(networks); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.ExpiresAt, err = parseExpiry(expires, time.Now()); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printOperatorSecret(api.CreateOperatorKey(ctx, r))
			})
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "`roles` of the key: read, support, billing, verify, sessions, metrics or manage")
	cmd.Flags().StringSliceVar(&networks, "network", nil, "`networks` that may use the key, such as 203.0.113.0/24 (default: any)")
	cmd.Flags().StringVar(&expires, "expires", "", "`time` when the key expires: 90d, 12h, 2027-01-31 (00:00 UTC) or RFC 3339 (default: never)")
	_ = cmd.MarkFlagRequired("role")
	_ = cmd.RegisterFlagCompletionFunc("role", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := []string{}
		for _, role := range toksta.Roles() {
			names = append(names, string(role))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// operatorKeysList returns the command that prints the operator keys.
func (c *cli) operatorKeysList() *cobra.Command {
	var r client.ListOperatorKeysRequest
	cmd := &cobra.Command{
		Use: "list", Short: "List operator keys", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(0, func(after toksta.OperatorKeyID, n int) ([]client.OperatorKey, toksta.OperatorKeyID, error) {
					q := r
					q.After, q.Limit = after, n
					page, err := api.ListOperatorKeys(ctx, q)
					return page.Keys, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, operatorKeyTable(all...))
			})
		},
	}
	cmd.Flags().BoolVar(&r.Revoked, "revoked", false, "include revoked keys")
	return cmd
}

// operatorKeysShow returns the command that prints one operator key with the preview of
// each generation.
func (c *cli) operatorKeysShow() *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Show an operator key: its state, roles, use and secrets", Args: exactArgs("KEY"), ValidArgsFunction: c.completeOperatorKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				k, err := api.OperatorKey(ctx, operatorKeyRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(k, operatorKeyFields(k))
			})
		},
	}
}

// operatorKeysRotate returns the command that replaces the secret of an operator key, after
// a confirmation. If the secret was rotated since, the server rejects the request.
func (c *cli) operatorKeysRotate() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "rotate KEY", Short: "Replace an operator key's secret; the old one is rejected at once", Args: exactArgs("KEY"), ValidArgsFunction: c.completeOperatorKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				key, err := api.OperatorKey(ctx, operatorKeyRef(args[0]))
				if err != nil {
					return err
				}
				if err := c.confirm(yes, args[0], fmt.Sprintf("Revoking the secret %s of %s", key.Preview, args[0])); err != nil {
					return err
				}
				return c.printOperatorSecret(api.RotateOperatorKey(ctx, client.RotateOperatorKeyRequest{
					OperatorKeyRef: operatorKeyRef(args[0]), Generation: key.Generations[len(key.Generations)-1].Number,
				}))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// operatorKeysRevoke returns the command that revokes operator keys one after another, after
// one confirmation. If an id is unknown, it revokes no key, or with --skip-unknown the others.
func (c *cli) operatorKeysRevoke() *cobra.Command {
	yes, skip := false, false
	cmd := &cobra.Command{
		Use: "revoke KEY...", Short: "Revoke operator keys permanently, and return when every node rejects them", Args: minArgs("KEY..."), ValidArgsFunction: c.completeOperatorKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				ids, err := knownOperatorKeys(ctx, api, args, skip)
				if err != nil {
					return err
				}
				revoked := []client.OperatorKey{}
				if len(ids) > 0 {
					if err := c.confirm(yes, ids[0], "Revoking "+strings.Join(ids, ", ")); err != nil {
						return err
					}
				}
				for _, id := range ids {
					response, err := api.RevokeOperatorKey(ctx, operatorKeyRef(id))
					if err != nil {
						return fmt.Errorf("revoke %s: %w", id, err)
					}
					c.printReceipt(response.Receipt)
					revoked = append(revoked, response.Key)
				}
				return c.show(revoked, operatorKeyTable(revoked...))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	cmd.Flags().BoolVar(&skip, "skip-unknown", false, "ignore ids that do not exist")
	return cmd
}

// knownOperatorKeys returns the ids that exist. It returns an error for another id unless
// skip is set.
func knownOperatorKeys(ctx context.Context, api *client.Client, ids []string, skip bool) (known []string, err error) {
	for _, id := range ids {
		_, err := api.OperatorKey(ctx, operatorKeyRef(id))
		missing := errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound})
		switch {
		case missing && !skip:
			return nil, fmt.Errorf("there is no operator key %q; nothing was revoked", id)
		case missing:
		case err != nil:
			return nil, err
		default:
			known = append(known, id)
		}
	}
	return known, nil
}

func operatorKeyRef(id string) client.OperatorKeyRef {
	return client.OperatorKeyRef{Key: toksta.OperatorKeyID(id)}
}

// completeOperatorKeys completes the first argument with the ids of operator keys, described
// by their names.
func (c *cli) completeOperatorKeys(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.completeWith(cmd, args, func(ctx context.Context, api *client.Client) (out []string, err error) {
		page, err := api.ListOperatorKeys(ctx, client.ListOperatorKeysRequest{Limit: pageSize})
		for _, k := range page.Keys {
			out = append(out, cobra.CompletionWithDesc(string(k.ID), printable(k.Name)))
		}
		return out, err
	})
}

// operatorKeyTable lists operator keys with the previews of their secrets.
func operatorKeyTable(keys ...client.OperatorKey) table {
	t := table{header: []string{"id", "name", "secret", "state", "roles", "networks", "created", "by", "expires", "last used"}}
	for _, k := range keys {
		t.add(string(k.ID), k.Name, k.Preview, string(k.State), joinOr(k.Roles, ""), joinOr(networkNames(k.Networks), "any"),
			formatTime(k.CreatedAt), k.CreatedBy, formatTime(k.ExpiresAt), formatTime(k.LastUsedAt))
	}
	return t
}

// operatorKeyFields lists the fields of one operator key, one per row.
func operatorKeyFields(k client.OperatorKey) table {
	t := table{header: []string{"field", "value"}}
	t.add("id", string(k.ID))
	t.add("name", k.Name)
	t.add("state", string(k.State))
	t.add("roles", joinOr(k.Roles, ""))
	t.add("networks", joinOr(networkNames(k.Networks), "any"))
	used := "never"
	if !k.LastUsedAt.IsZero() {
		used = formatTime(k.LastUsedAt) + " from " + k.LastUsedAddress
	}
	t.add("last used", used)
	t.add("created", formatTime(k.CreatedAt)+" by "+k.CreatedBy)
	t.add("expires", cmp.Or(formatTime(k.ExpiresAt), "never"))
	t.addGenerations(k.Generations, k.State, k.RevokedAt)
	return t
}

// printOperatorSecret prints a secret as the only line of data, so that it can be piped into
// a vault or a file.
func (c *cli) printOperatorSecret(response client.OperatorSecretResponse, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	c.say("Operator key %s (%s). The secret is shown only once:", response.Key.ID, printable(response.Key.Name))
	return c.show(response, table{rows: [][]string{{response.Secret}}})
}
