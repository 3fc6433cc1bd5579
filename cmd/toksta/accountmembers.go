package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// accountsAddMember returns the command that creates a member, for vendors who
// close sign-up. It reads the password before it connects.
func (c *cli) accountsAddMember() *cobra.Command {
	var r client.AddMemberRequest
	passwordFile := ""
	cmd := &cobra.Command{
		Use: "add-member ACCOUNT --email EMAIL --name NAME", Short: "Add a member who signs in to an account", Args: exactArgs("ACCOUNT"),
		Long:              "Add a member who signs in to an account. The password comes from a prompt, from\nstandard input or from a file, but not from an argument, which other users can see.",
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef = accountRef(args[0])
			if r.Password, err = c.password(passwordFile); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.AddMember(ctx, r)
				if err != nil {
					return err
				}
				m := response.Member
				return c.show(response, table{header: []string{"id", "email", "name"}, rows: [][]string{{string(m.ID), m.Email, m.Name}}})
			})
		},
	}
	cmd.Flags().StringVar(&r.Email, "email", "", "address of the member, for signing in")
	cmd.Flags().StringVar(&r.Name, "name", "", "name of the member")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`file` with the password")
	addRole(cmd, &r.Role)
	_ = cmd.MarkFlagRequired("email")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// accountsSetPassword returns the command that replaces a forgotten password and
// ends the member's sessions. No mail is sent: the vendor tells the member the
// new password.
func (c *cli) accountsSetPassword() *cobra.Command {
	passwordFile := ""
	cmd := &cobra.Command{
		Use: "set-password MEMBER", Short: "Set a member's password and end all their sessions", Args: exactArgs("MEMBER"),
		Long: "Set a member's password and end all their sessions. MEMBER is the member's e-mail\naddress or id; `toksta accounts show` lists both. The password comes from a prompt, from standard input\nor from a file, but not from an argument, which other users can see.",
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := c.password(passwordFile)
			if err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				if err := api.SetPassword(ctx, client.SetPasswordRequest{Member: toksta.MemberID(args[0]), Password: password}); err != nil {
					return err
				}
				c.say("The password of %s is set, and all sessions of this member have ended.", args[0])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`file` with the password")
	return cmd
}

// addRole adds the flag for the role of a new member, whose default is owner.
func addRole(cmd *cobra.Command, role *toksta.MemberRole) {
	cmd.Flags().StringVar((*string)(role), "role", "", "`role` in the account: owner, admin, developer, billing or viewer (default owner)")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(memberRoles(), cobra.ShellCompDirectiveNoFileComp))
}

// memberSummary returns the role of a member, with everything that is unusual.
func memberSummary(m client.Member) string {
	out := string(m.Role)
	if state := memberState(m); state != "active" {
		out += ", " + state
	}
	if m.VerifiedAt.IsZero() {
		out += ", address not verified"
	}
	return out
}
