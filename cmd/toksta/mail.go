package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// mail groups what concerns messages to people.
func (c *cli) mail() *cobra.Command {
	return noun("mail", "Try the mail settings",
		&cobra.Command{
			Use: "test ADDRESS", Short: "Send a test message through the running server", Args: exact("ADDRESS"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return act(c, cmd, func(ctx context.Context, api *client.Client) error {
					if err := api.TestMail(ctx, client.TestMailRequest{To: args[0]}); err != nil {
						return err
					}
					c.say("The mail server has taken the message to %s.", args[0])
					return nil
				})
			},
		},
	)
}
