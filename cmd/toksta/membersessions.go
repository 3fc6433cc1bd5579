package main

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// membersResetFactors returns the command for a person who lost the second factor.
func (c *cli) membersResetFactors() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "reset-factors MEMBER", Short: "Remove a person's passkeys, authenticator app and recovery codes", Args: exactArgs("MEMBER"),
		Long: "Remove a person's passkeys, authenticator app and recovery codes, for example after the\nloss of a phone, and end all sessions of the person. First make sure who asks: whoever has the\n" +
			"password, or the mail, can sign in afterwards. MEMBER is an e-mail address or an id.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.confirm(yes, "reset", "Removing the second factors of "+args[0]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				if err := api.ResetFactors(ctx, personRef(args[0])); err != nil {
					return err
				}
				c.say("%s has no second factors and no sessions.", printable(args[0]))
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}

// membersSessions returns the command that prints the sessions of a person.
func (c *cli) membersSessions() *cobra.Command {
	return &cobra.Command{
		Use: "sessions MEMBER", Short: "List the sessions of a person", Args: exactArgs("MEMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				list, err := api.Sessions(ctx, personRef(args[0]))
				if err != nil {
					return err
				}
				t := table{header: []string{"seen", "address", "browser", "sign-in", "account", "since", "expires"}}
				for _, s := range list.Sessions {
					t.add(formatTime(s.SeenAt), s.Address, s.Agent, s.Method, string(s.AccountID), formatTime(s.CreatedAt), formatTime(s.ExpiresAt))
				}
				return c.show(list.Sessions, t)
			})
		},
	}
}

// membersEndSessions returns the command that signs a person out everywhere.
func (c *cli) membersEndSessions() *cobra.Command {
	return &cobra.Command{
		Use: "end-sessions MEMBER", Short: "End all sessions of a person", Args: exactArgs("MEMBER"),
		Long: "End all sessions of a person in all accounts, and the links in mails that were not used.\nThe person can sign in again; to prevent this, use toksta members disable.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				ended, err := api.EndSessions(ctx, personRef(args[0]))
				if err != nil {
					return err
				}
				c.say("Ended: %d sessions.", ended.Ended)
				return nil
			})
		},
	}
}

// personRef refers to a person by an e-mail address or an id.
func personRef(name string) client.PersonRef { return client.PersonRef{Member: toksta.MemberID(name)} }

// membersErase returns the command that erases the personal data of a person. The confirmation
// repeats the name by which the command names the person.
func (c *cli) membersErase() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "erase MEMBER", Short: "Remove the personal data of a person for good", Args: exactArgs("MEMBER"),
		Long: "Remove the personal data of a person who belongs to no account for good: address, name,\nways to sign in, sessions, and the name in keys and in the audit trail. The ids stay, and\n" +
			"keys that the person made keep working. MEMBER is the id, which toksta members list shows.\nIf the command is interrupted, repeat it: it removes the rest.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.confirm(yes, args[0], "Erasing "+args[0]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				api.Wait.Limit = max(api.Wait.Limit, longTimeout)
				erased, err := api.EraseMember(ctx, client.EraseMemberRequest{PersonRef: personRef(args[0]), Confirm: args[0]})
				if err != nil {
					return err
				}
				c.printReceipt(erased.Receipt)
				t := table{header: []string{"table", "rows"}}
				for _, name := range slices.Sorted(maps.Keys(erased.Rows)) {
					t.add(name, strconv.FormatInt(erased.Rows[name], 10))
				}
				return c.show(erased, t)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	return cmd
}
