package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// sessions returns the commands for sessions of people.
func (c *cli) sessions() *cobra.Command {
	return commandGroup("sessions", "Sign a person in to the account pages", c.sessionsCreate())
}

// sessionsCreate returns the command that creates a session for a person. The link is the only
// line of data.
func (c *cli) sessionsCreate() *cobra.Command {
	var r client.CreateSessionRequest
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use: "create ACCOUNT --email EMAIL", Short: "Create a link that signs a person in to one account", Args: exactArgs("ACCOUNT"),
		Long: "Create a link that signs a person in to one account, as your back end does after its own\n" +
			"sign-in. The link works once, within a minute. A person who is not a member yet becomes one:\n" +
			"give the name too.",
		Example: `  toksta sessions create acct_01… --email ada@example.com --name Ada
  toksta sessions create acct_01… --email ada@example.com --next /account/keys/new --lifetime 10m`,
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef, r.Lifetime = accountRef(args[0]), int64(lifetime/time.Second)
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.CreateSession(ctx, r)
				if err != nil {
					return err
				}
				c.say("The link signs %s in as %s. It works once, until %s.", response.Member.Email, response.Member.Role, formatTime(response.ExpiresAt))
				return c.show(response, table{rows: [][]string{{response.URL}}})
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Member.ID), "member", "", "id of a member, in place of --email")
	cmd.Flags().StringVar(&r.Member.Email, "email", "", "address of the person")
	cmd.Flags().StringVar(&r.Member.Name, "name", "", "name of a person who is not a member yet")
	cmd.Flags().StringVar((*string)(&r.Role), "role", "", "`role` of a person who is not a member yet: owner, admin, developer, billing or viewer (default "+string(toksta.MemberDeveloper)+")")
	cmd.Flags().StringVar(&r.Next, "next", "", "`path` of the first page (default /account)")
	cmd.Flags().BoolVar(&r.Embed, "embed", false, "for a frame of a page whose origin is in embed.origins")
	cmd.Flags().DurationVar(&lifetime, "lifetime", time.Hour, "`time` after which the session ends, at most 12h")
	return cmd
}
