package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// mail returns the command that tests the mail server.
func (c *cli) mail() *cobra.Command {
	return commandGroup("mail", "Test the mail settings",
		&cobra.Command{
			Use: "test ADDRESS", Short: "Send a test message through the running server", Args: exactArgs("ADDRESS"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
					if err := api.TestMail(ctx, client.TestMailRequest{To: args[0]}); err != nil {
						return err
					}
					c.say("The mail server has accepted the message to %s.", args[0])
					return nil
				})
			},
		},
	)
}
