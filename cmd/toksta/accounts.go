package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// accounts returns the commands for customers' accounts. A command that changes an
// account prints the new state, and the receipt on standard error.
func (c *cli) accounts() *cobra.Command {
	return commandGroup("accounts", "Manage customers' accounts",
		c.accountsCreate(), c.accountsList(), c.accountsShow(), c.accountsRename(), c.accountsSetPlan(),
		c.accountsSetStatus(), c.accountsSetEntitlement(), c.accountsSetExternalID(), c.accountsSetMetadata(), c.accountsClose(), c.accountsReopen(), c.accountsErase(), c.accountsInvite(), c.accountsAddMember(), c.accountsSetPassword(),
	)
}

// accountsCreate returns the command that creates an account without members.
func (c *cli) accountsCreate() *cobra.Command {
	var r client.CreateAccountRequest
	anchor := ""
	var pairs *[]string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create an account", Args: exactArgs("NAME"),
		Example: `  toksta accounts create "Acme Ltd" --plan API_BUILD
  toksta accounts create "Acme Ltd" --external-id crm-42 --metadata region=eu`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.CycleAnchor, err = parseTime(anchor); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if r.Metadata, err = parsePairs(*pairs); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			r.Name = args[0]
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.CreateAccount(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Plan), "plan", "", "plan (default: the plan of new accounts)")
	cmd.Flags().StringVar((*string)(&r.Status), "status", "", "subscription status (default active)")
	cmd.Flags().StringVar(&r.Cadence, "cadence", "", "monthly or annual (default monthly)")
	cmd.Flags().StringVar(&anchor, "cycle-anchor", "", "first day of a billing cycle, such as 2026-11-15 (default today)")
	pairs = addExternalFlags(cmd, &r.ExternalID)
	return cmd
}

// accountsList returns the command that prints accounts: all or up to the limit,
// but none after an error.
func (c *cli) accountsList() *cobra.Command {
	var r client.ListAccountsRequest
	cmd := &cobra.Command{
		Use: "list", Short: "List accounts, or search for them", Args: exactArgs(),
		Long: "List accounts in the order of their creation. With several conditions, an account\n" +
			"meets all of them. --name finds names by their start, in the order of names.",
		Example: `  toksta accounts list --email ann@acme.example
  toksta accounts list --name acme --status past_due`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(r.Limit, func(after toksta.AccountID, n int) ([]client.Account, toksta.AccountID, error) {
					q := r
					q.After, q.Limit = string(after), n
					page, err := api.ListAccounts(ctx, q)
					return page.Accounts, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, accountTable(all...))
			})
		},
	}
	cmd.Flags().StringVar(&r.Email, "email", "", "account of the member with this `address`")
	cmd.Flags().StringVar(&r.Name, "name", "", "accounts whose names start with this `text`; A to Z in any case")
	cmd.Flags().StringVar(&r.ExternalID, "external-id", "", "account with this external `id`")
	cmd.Flags().StringVar((*string)(&r.Plan), "plan", "", "accounts on this `plan`")
	cmd.Flags().StringVar((*string)(&r.Status), "status", "", "accounts in this billing `state`")
	cmd.Flags().IntVar(&r.Limit, "limit", 0, "largest number of accounts (default: all)")
	return cmd
}

// accountTable lists accounts. For an account whose keys are rejected, it shows the
// reason.
func accountTable(accounts ...client.Account) table {
	t := table{header: []string{"id", "name", "plan", "status", "keys admitted", "per minute", "created", "external id"}}
	for _, a := range accounts {
		t.add(string(a.ID), a.Name, string(a.Plan), string(a.Status), admitted(a), strconv.Itoa(a.PerMinute), formatTime(a.CreatedAt), a.ExternalID)
	}
	return t
}

// admitted returns whether the keys of an account are admitted, or the reason why they are not.
func admitted(a client.Account) string {
	switch {
	case !a.ErasedAt.IsZero():
		return "no: erased"
	case !a.ClosedAt.IsZero():
		return "no: closed"
	case a.Blocked != "":
		return "no: " + string(a.Blocked)
	}
	return "yes"
}

// accountsShow returns the command that prints one account with its members,
// without its keys.
func (c *cli) accountsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ACCOUNT", Short: "Show an account, its members and rights", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				a, err := api.Account(ctx, accountRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(a, accountFields(a))
			})
		},
	}
}

// accountFields lists the fields of one account, one per row.
func accountFields(a client.AccountDetail) table {
	t := table{header: []string{"field", "value"}}
	t.add("id", string(a.ID))
	t.add("external id", a.ExternalID)
	t.add("name", a.Name)
	t.add("plan", string(a.Plan))
	t.add("status", string(a.Status)+" since "+formatTime(a.StatusSince))
	t.add("keys admitted", admitted(a.Account))
	t.add("families", joinOr(a.Families, "none"))
	t.add("per minute", strconv.Itoa(a.PerMinute))
	for _, l := range []struct {
		name  string
		limit int
	}{{"per hour", a.PerHour}, {"per day", a.PerDay}, {"concurrent", a.Concurrent}} {
		if l.limit > 0 {
			t.add(l.name, strconv.Itoa(l.limit))
		}
	}
	t.add("purchased credits", strconv.FormatInt(a.Entitlements.PurchasedCredits, 10))
	t.add("live keys", strconv.Itoa(a.LiveKeys))
	t.add("created", formatTime(a.CreatedAt))
	if !a.ClosedAt.IsZero() {
		t.add("closed", formatTime(a.ClosedAt))
	}
	if !a.ErasedAt.IsZero() {
		t.add("erased", formatTime(a.ErasedAt))
	}
	for _, m := range a.Members {
		t.add("member", m.Email+" ("+m.Name+") "+string(m.ID)+": "+memberSummary(m))
	}
	t.addMetadata(a.Metadata)
	return t
}

// accountsRename returns the command that changes the name of an account and
// keeps its id.
func (c *cli) accountsRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename ACCOUNT NAME", Short: "Change the name of an account", Args: exactArgs("ACCOUNT", "NAME"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.RenameAccount(ctx, client.RenameAccountRequest{AccountRef: accountRef(args[0]), Name: args[1]}))
			})
		},
	}
}

// accountsSetPlan returns the command that moves an account to another plan. The
// command ends once no node admits a call on the old plan.
func (c *cli) accountsSetPlan() *cobra.Command {
	cadence, anchor := "", ""
	cmd := &cobra.Command{
		Use: "set-plan ACCOUNT PLAN", Short: "Move an account to another plan", Args: exactArgs("ACCOUNT", "PLAN"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			began, err := parseTime(anchor)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.SetPlan(ctx, client.SetPlanRequest{
					AccountRef: accountRef(args[0]), Plan: toksta.PlanID(args[1]), Cadence: cadence, CycleAnchor: began,
				}))
			})
		},
	}
	cmd.Flags().StringVar(&cadence, "cadence", "", "monthly or annual (default: unchanged)")
	cmd.Flags().StringVar(&anchor, "cycle-anchor", "", "first day of a billing cycle, such as 2026-11-15 (default: unchanged)")
	return cmd
}

// accountsSetStatus returns the command that sets the billing state, for vendors
// whose billing does not report it. A state that does not admit rejects keys and
// does not revoke them.
func (c *cli) accountsSetStatus() *cobra.Command {
	return &cobra.Command{
		Use: "set-status ACCOUNT STATUS", Short: "Set an account's billing state", Args: exactArgs("ACCOUNT", "STATUS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.SetStatus(ctx, client.SetStatusRequest{AccountRef: accountRef(args[0]), Status: toksta.Status(args[1])}))
			})
		},
	}
}

// accountsSetEntitlement returns the command that sets an entitlement by its name
// in the usage document. The value "default" removes an entitlement.
func (c *cli) accountsSetEntitlement() *cobra.Command {
	return &cobra.Command{
		Use: "set-entitlement ACCOUNT NAME=VALUE", Short: "Set an exception of an account from its plan", Args: exactArgs("ACCOUNT", "NAME=VALUE"),
		Example: `  toksta accounts set-entitlement acct_01… api_access_enabled=true
  toksta accounts set-entitlement acct_01… purchased_credits=+500
  toksta accounts set-entitlement acct_01… rate_limit_per_minute=default`,
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, value, _ := strings.Cut(args[1], "=")
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printAccount(api.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: accountRef(args[0]), Name: name, Value: value}))
			})
		},
	}
}

// accountsInvite returns the command that creates an invitation. It prints the
// link as the only line of data and sends no mail.
func (c *cli) accountsInvite() *cobra.Command {
	var r client.InviteRequest
	cmd := &cobra.Command{
		Use: "invite", Short: "Invite a person to sign up", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.Invite(ctx, r)
				if err != nil {
					return err
				}
				c.printReceipt(response.Receipt)
				c.say("The link is shown only once. It is valid until %s.", formatTime(response.ExpiresAt))
				return c.show(response, table{rows: [][]string{{response.URL}}})
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "account to join (default: a new account)")
	cmd.Flags().StringVar(&r.Email, "email", "", "only address that can use the link (default: any)")
	addRole(cmd, &r.Role)
	return cmd
}

// accountRef refers to an account by its id, which the server validates.
func accountRef(id string) client.AccountRef { return client.AccountRef{Account: toksta.AccountID(id)} }

// printAccount prints a changed account, and its receipt on standard error.
func (c *cli) printAccount(response client.AccountResponse, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	return c.show(response, accountTable(response.Account))
}
