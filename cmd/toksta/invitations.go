package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// invitationCommands returns the commands for open invitations.
func (c *cli) invitationCommands() *cobra.Command {
	return commandGroup("invitations", "Manage open invitations", c.invitationsList(), c.invitationsRevoke())
}

// membersInvite returns the command that invites a person to an account. Without --mail, it prints
// the link as the only line of data.
func (c *cli) membersInvite() *cobra.Command {
	var r client.InviteMemberRequest
	cmd := &cobra.Command{
		Use: "invite ACCOUNT --role ROLE [--email EMAIL] [--mail]", Short: "Invite a person to an account, by mail or by a link", Args: exactArgs("ACCOUNT"),
		Long: "Invite a person to an account. With --mail, the link is sent to the address. Otherwise the\nlink is the only line on standard output, and is shown once.",
		Example: `  toksta members invite crm-42 --role developer --email ada@example.com --mail
  toksta members invite crm-42 --role viewer`,
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef = accountRef(args[0])
			if r.ByMail && r.Email == "" {
				return usageError{errors.New("--mail needs an address: add --email"), cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.InviteMember(ctx, r)
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				until := formatTime(response.Invitation.ExpiresAt)
				if r.ByMail {
					c.say("The link was sent to %s. It is valid until %s.", printable(r.Email), until)
					return c.show(response, invitationTable(response.Invitation))
				}
				c.say("The link is shown only once. It is valid until %s.", until)
				return c.show(response, table{rows: [][]string{{response.URL}}})
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Role), "role", "", "`role` in the account: owner, admin, developer, billing or viewer")
	_ = cmd.MarkFlagRequired("role")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(memberRoles(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&r.Email, "email", "", "only address that can use the link (default: any)")
	cmd.Flags().BoolVar(&r.ByMail, "mail", false, "send the link to the address instead of printing it")
	return cmd
}

// invitationsList returns the command that prints open invitations.
func (c *cli) invitationsList() *cobra.Command {
	return &cobra.Command{
		Use: "list [ACCOUNT]", Short: "List the open invitations to an account, or to new accounts", Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r client.InvitationsRequest
			if len(args) == 1 {
				r.Account = toksta.AccountID(args[0])
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				list, err := api.Invitations(ctx, r)
				if err != nil {
					return err
				}
				return c.show(list.Invitations, invitationTable(list.Invitations...))
			})
		},
	}
}

// invitationTable lists invitations without their codes.
func invitationTable(all ...client.Invitation) table {
	t := table{header: []string{"id", "email", "role", "by", "created", "expires"}}
	for _, i := range all {
		by := string(i.CreatedBy)
		if by == "" {
			by = string(toksta.ActorOperator)
		}
		t.add(string(i.ID), i.Email, string(i.Role), by, formatTime(i.CreatedAt), formatTime(i.ExpiresAt))
	}
	return t
}

// invitationsRevoke returns the command that revokes an open invitation.
func (c *cli) invitationsRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke [ACCOUNT] INVITATION", Short: "Revoke an open invitation: its link no longer works", Args: cobra.RangeArgs(1, 2),
		Long:              "Revoke an open invitation: its link no longer works. Without ACCOUNT, it is one that makes\na new account.",
		ValidArgsFunction: c.completeInvitations,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := client.InvitationRef{Invitation: toksta.InvitationID(args[len(args)-1])}
			if len(args) == 2 {
				r.Account = toksta.AccountID(args[0])
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.RevokeInvitation(ctx, r)
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				return nil
			})
		},
	}
}

// completeInvitations completes an account, and then an open invitation to it.
func (c *cli) completeInvitations(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return c.completeAccounts(cmd, args, typed)
	}
	return c.completeWith(cmd, nil, func(ctx context.Context, api *client.Client) (out []string, err error) {
		list, err := api.Invitations(ctx, client.InvitationsRequest{Account: toksta.AccountID(args[0])})
		for _, i := range list.Invitations {
			out = append(out, cobra.CompletionWithDesc(string(i.ID), printable(i.Email)+", "+string(i.Role)))
		}
		return out, err
	})
}
