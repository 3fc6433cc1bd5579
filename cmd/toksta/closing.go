package main

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// accountsClose returns the command that closes an account. It ends once no node admits any
// key of the account.
func (c *cli) accountsClose() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "close ACCOUNT", Short: "Close an account and revoke all its keys and invitations", Args: exactArgs("ACCOUNT"),
		Long: "Close an account and revoke all its keys and invitations, in one change. Its members\n" +
			"can still read it, and its usage and its audit trail are kept. toksta accounts reopen\n" +
			"opens it again, without the keys.",
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.confirm(yes, "close", "Revoking the keys of "+args[0]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.CloseAccount(ctx, accountRef(args[0]))
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				if response.Receipt.Sequence != 0 {
					c.say("Revoked: %d keys, %d invitations.", response.RevokedKeys, response.RevokedInvitations)
				}
				return c.show(response, accountTable(response.Account))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// accountsReopen returns the command that opens a closed account again.
func (c *cli) accountsReopen() *cobra.Command {
	return &cobra.Command{
		Use: "reopen ACCOUNT", Short: "Open a closed account again; its keys stay revoked", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.ReopenAccount(ctx, accountRef(args[0])))
			})
		},
	}
}

// accountsErase returns the command that erases the personal data of a closed account. The
// confirmation repeats the id of the account, also if the account was named by its external id.
func (c *cli) accountsErase() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "erase ACCOUNT", Short: "Remove the personal data of a closed account for good", Args: exactArgs("ACCOUNT"),
		Long: "Remove the personal data of a closed account for good: its name, external id and\n" +
			"metadata, the names of its keys, and the data of its people who belong to no other\n" +
			"account. Numbers, times and ids stay in usage, credits and the audit trail. If the\n" +
			"command is interrupted, repeat it: it removes the rest.",
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				api.Wait.Limit = max(api.Wait.Limit, longTimeout)
				a, err := api.Account(ctx, accountRef(args[0]))
				if err != nil {
					return err
				}
				id := string(a.ID)
				if err := c.confirm(yes, id, "Erasing "+id+" ("+printable(a.Name)+")"); err != nil {
					return err
				}
				response, err := api.EraseAccount(ctx, client.EraseAccountRequest{AccountRef: accountRef(id), Confirm: id})
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				return c.show(response, erasedTable(response))
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// erasedTable lists the numbers of erased people and rows.
func erasedTable(r client.EraseAccountResponse) table {
	t := table{header: []string{"field", "value"}}
	t.add("id", string(r.Account.ID))
	t.add("erased", formatTime(r.Account.ErasedAt))
	t.add("people", strconv.Itoa(r.Members))
	for _, name := range slices.Sorted(maps.Keys(r.Rows)) {
		t.add(name, strconv.FormatInt(r.Rows[name], 10))
	}
	return t
}
