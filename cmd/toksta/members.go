package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// accountsAddMember is for vendors who close sign-up. The password is read before
// the server is called, so that a prompt never holds a connection.
func (c *cli) accountsAddMember() *cobra.Command {
	var r client.AddMemberRequest
	passwordFile := ""
	cmd := &cobra.Command{
		Use: "add-member ACCOUNT --email EMAIL --name NAME", Short: "Let a person sign in for an account", Args: exact("ACCOUNT"),
		Long:              "Let a person sign in for an account. The password comes from a prompt, from\nstandard input or from a file: never from an argument, which other users see.",
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef = accountRef(args[0])
			if r.Password, err = c.password(passwordFile); err != nil {
				return err
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				answer, err := api.AddMember(ctx, r)
				if err != nil {
					return err
				}
				m := answer.Member
				return c.show(answer, table{header: []string{"id", "email", "name"}, rows: [][]string{{string(m.ID), m.Email, m.Name}}})
			})
		},
	}
	cmd.Flags().StringVar(&r.Email, "email", "", "address to sign in with")
	cmd.Flags().StringVar(&r.Name, "name", "", "name for people")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`file` that holds the password")
	_ = cmd.MarkFlagRequired("email")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// accountsSetPassword is the way back in for who forgot theirs: no mail is
// sent, so the vendor hands the new password over. It ends the member's sessions.
func (c *cli) accountsSetPassword() *cobra.Command {
	passwordFile := ""
	cmd := &cobra.Command{
		Use: "set-password MEMBER", Short: "Give a person a new password and sign them out everywhere", Args: exact("MEMBER"),
		Long: "Give a person a new password and sign them out everywhere. `toksta accounts show`\nlists an account's members. The password comes from a prompt, from standard\ninput or from a file: never from an argument, which other users see.",
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := c.password(passwordFile)
			if err != nil {
				return err
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				if err := api.SetPassword(ctx, client.SetPasswordRequest{Member: toksta.MemberID(args[0]), Password: password}); err != nil {
					return err
				}
				c.say("The password of %s is set; every session of theirs has ended.", args[0])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`file` that holds the password")
	return cmd
}
