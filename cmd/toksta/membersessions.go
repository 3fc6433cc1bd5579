package main

import (
	"context"

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
