package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// memberCommands returns the commands for the people of accounts.
func (c *cli) memberCommands() *cobra.Command {
	return commandGroup("members", "Manage the people of accounts, their roles and sessions",
		c.membersList(), c.membersInvite(), c.membersSetRole(), c.membersDisable(), c.membersEnable(), c.membersRemove(),
		c.membersResetFactors(), c.membersSessions(), c.membersEndSessions(), c.membersErase(),
	)
}

// membersList returns the command that prints the members of an account.
func (c *cli) membersList() *cobra.Command {
	return &cobra.Command{
		Use: "list ACCOUNT", Short: "List the members of an account with their roles", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				list, err := api.Members(ctx, accountRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(list.Members, memberTable(list.Members...))
			})
		},
	}
}

// memberTable lists members with their state.
func memberTable(members ...client.Member) table {
	t := table{header: []string{"id", "email", "name", "role", "state", "verified", "joined"}}
	for _, m := range members {
		verified := formatTime(m.VerifiedAt)
		if m.VerifiedAt.IsZero() {
			verified = "no"
		}
		t.add(string(m.ID), m.Email, m.Name, string(m.Role), memberState(m), verified, formatTime(m.JoinedAt))
	}
	return t
}

// memberState returns the state of a member in words.
func memberState(m client.Member) string {
	switch {
	case !m.RemovedAt.IsZero():
		return "removed"
	case m.DisabledEverywhere:
		return "disabled everywhere"
	case !m.DisabledAt.IsZero():
		return "disabled"
	case !m.ExpiresAt.IsZero():
		return "expires " + formatTime(m.ExpiresAt)
	}
	return "active"
}

// membersSetRole returns the command that changes a member's role.
func (c *cli) membersSetRole() *cobra.Command {
	var r client.SetRoleRequest
	cmd := &cobra.Command{
		Use: "set-role ACCOUNT MEMBER ROLE", Short: "Change the role of a member in an account", Args: exactArgs("ACCOUNT", "MEMBER", "ROLE"),
		Long:              "Change the role of a member in an account: owner, admin, developer, billing or viewer.\nMEMBER is an e-mail address or an id. The last owner who can sign in keeps the role,\nunless --without-owner is set.",
		Example:           `  toksta members set-role crm-42 ada@example.com owner`,
		ValidArgsFunction: c.completeRole,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.MemberRef, r.Role = memberRef(args), toksta.MemberRole(args[2])
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printMember(api.SetRole(ctx, r))
			})
		},
	}
	addWithoutOwner(cmd, &r.WithoutOwner)
	return cmd
}

// membersDisable returns the command that takes the use of an account from a member.
func (c *cli) membersDisable() *cobra.Command {
	var r client.DisableMemberRequest
	cmd := &cobra.Command{
		Use: "disable [ACCOUNT] MEMBER", Short: "Take the use of an account, or of all, from a member", Args: memberArgs,
		Long: "Take the use of an account from a member, until toksta members enable, and end the\nsessions that show it. Without ACCOUNT, the person can use no account and cannot sign in.\n" +
			"Keys that the member made keep working. MEMBER is an e-mail address or an id.",
		Example: `  toksta members disable crm-42 ada@example.com
  toksta members disable ada@example.com          # in all accounts`,
		ValidArgsFunction: c.completeMembers,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Account, r.Member = optionalAccount(args)
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printMember(api.DisableMember(ctx, r))
			})
		},
	}
	addWithoutOwner(cmd, &r.WithoutOwner)
	return cmd
}

// membersEnable returns the command that gives a member the use of an account back.
func (c *cli) membersEnable() *cobra.Command {
	return &cobra.Command{
		Use: "enable [ACCOUNT] MEMBER", Short: "Give a disabled member the use of an account, or of all, back", Args: memberArgs,
		ValidArgsFunction: c.completeMembers,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r client.EnableMemberRequest
			r.Account, r.Member = optionalAccount(args)
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printMember(api.EnableMember(ctx, r))
			})
		},
	}
}

// membersRemove returns the command that removes a member from an account. The choice about the
// keys has no default.
func (c *cli) membersRemove() *cobra.Command {
	var r client.RemoveMemberRequest
	yes := false
	cmd := &cobra.Command{
		Use: "remove ACCOUNT MEMBER --keys keep|revoke", Short: "Remove a member from an account", Args: exactArgs("ACCOUNT", "MEMBER"),
		Long: "Remove a member from an account and end the sessions that show it. --keys states what\nhappens to the live keys that the member made: keep leaves them working and lists them, revoke\n" +
			"revokes them in the same change. MEMBER is an e-mail address or an id.",
		Example:           `  toksta members remove crm-42 ada@example.com --keys revoke`,
		ValidArgsFunction: c.completeMembers,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.MemberRef = memberRef(args)
			if err := c.confirm(yes, "remove", "Removing "+args[1]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.RemoveMember(ctx, r)
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				if response.Receipt.Sequence != 0 {
					c.say("Keys of this member: %d still work, %d were revoked.", len(response.KeptKeys), len(response.RevokedKeys))
				}
				return c.show(response, keyTable(append(response.KeptKeys, response.RevokedKeys...)...))
			})
		},
	}
	cmd.Flags().StringVar(&r.Keys, "keys", "", "`choice` about the keys that the member made: keep or revoke")
	_ = cmd.MarkFlagRequired("keys")
	_ = cmd.RegisterFlagCompletionFunc("keys", cobra.FixedCompletions([]string{"keep", "revoke"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for a confirmation")
	addWithoutOwner(cmd, &r.WithoutOwner)
	return cmd
}

// addWithoutOwner adds the flag that permits to leave an account without an owner. The error of the
// command without the flag names it.
func addWithoutOwner(cmd *cobra.Command, permitted *bool) {
	cmd.Flags().BoolVar(permitted, "without-owner", false, "permit to leave an account without an owner who can sign in")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if e, ok := errors.AsType[*toksta.Error](err); ok && e.Code == toksta.CodeConflict && strings.Contains(e.Message, "no owner") {
			hinted := *e
			hinted.Hint = "if no other member can own the account, or the owner must be stopped at once, repeat the command with --without-owner"
			return &hinted
		}
		return err
	}
}

// memberRef refers to a member of an account by the first two arguments.
func memberRef(args []string) client.MemberRef {
	return client.MemberRef{AccountRef: accountRef(args[0]), Member: toksta.MemberID(args[1])}
}

// memberArgs requires a member, with or without an account before it.
func memberArgs(cmd *cobra.Command, args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return exactArgs("ACCOUNT", "MEMBER")(cmd, args)
	}
	if len(args) == 1 && !strings.Contains(args[0], "@") && !strings.HasPrefix(args[0], toksta.PrefixMember) {
		return usageError{errors.New("expected ACCOUNT MEMBER, or a MEMBER by e-mail address or id alone for all accounts"), cmd.CommandPath()}
	}
	return nil
}

// optionalAccount returns the account, "" for all, and the member of the arguments.
func optionalAccount(args []string) (toksta.AccountID, toksta.MemberID) {
	if len(args) == 1 {
		return "", toksta.MemberID(args[0])
	}
	return toksta.AccountID(args[0]), toksta.MemberID(args[1])
}

// printMember prints a changed member, and the receipt on standard error.
func (c *cli) printMember(response client.ChangedMember, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	return c.show(response, memberTable(response.Member))
}

// completeMembers completes an account, and then a member of it by the e-mail address.
func (c *cli) completeMembers(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return c.completeAccounts(cmd, args, typed)
	}
	return c.completeWith(cmd, nil, func(ctx context.Context, api *client.Client) (out []string, err error) {
		list, err := api.Members(ctx, accountRef(args[0]))
		for _, m := range list.Members {
			out = append(out, cobra.CompletionWithDesc(m.Email, printable(m.Name)+", "+string(m.Role)))
		}
		return out, err
	})
}

// completeRole completes an account, a member and a role.
func (c *cli) completeRole(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 2 {
		return c.completeMembers(cmd, args, typed)
	}
	return memberRoles(), cobra.ShellCompDirectiveNoFileComp
}

// memberRoles returns the names of the roles.
func memberRoles() (names []string) {
	for _, r := range toksta.MemberRoles() {
		names = append(names, string(r))
	}
	return names
}
