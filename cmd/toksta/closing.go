package main

import (
	"context"

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
