package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// accounts groups what the vendor decides about a customer. Each command prints
// the account as it is afterwards, and the receipt on standard error.
func (c *cli) accounts() *cobra.Command {
	return noun("accounts", "Manage customers' accounts",
		c.accountsCreate(), c.accountsList(), c.accountsShow(), c.accountsRename(), c.accountsSetPlan(),
		c.accountsSetStatus(), c.accountsSetEntitlement(), c.accountsInvite(), c.accountsAddMember(), c.accountsSetPassword(),
	)
}

// accountsCreate makes an account without people; add-member or invite follows.
func (c *cli) accountsCreate() *cobra.Command {
	var r client.CreateAccountRequest
	anchor := ""
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make an account", Args: exact("NAME"),
		Example: `  toksta accounts create "Acme Ltd" --plan API_BUILD`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.CycleAnchor, err = past(anchor); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			r.Name = args[0]
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.accountAnswer(api.CreateAccount(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Plan), "plan", "", "plan (default: the plan of new accounts)")
	cmd.Flags().StringVar((*string)(&r.Status), "status", "", "subscription status (default active)")
	cmd.Flags().StringVar(&r.Cadence, "cadence", "", "monthly or annual (default monthly)")
	cmd.Flags().StringVar(&anchor, "cycle-anchor", "", "a day that a billing cycle began on, such as 2026-11-15 (default today)")
	return cmd
}

// accountsList follows the pages to the end: a script that pipes the list gets
// all of it, or an error, never a part.
func (c *cli) accountsList() *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use: "list", Short: "List accounts", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(limit, func(after toksta.AccountID, n int) ([]client.Account, toksta.AccountID, error) {
					page, err := api.ListAccounts(ctx, client.PageRequest{After: string(after), Limit: n})
					return page.Accounts, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, accountTable(all...))
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (default all)")
	return cmd
}

// accountTable says of each account whether its keys are admitted, and why not.
func accountTable(accounts ...client.Account) table {
	t := table{header: []string{"id", "name", "plan", "status", "keys admitted", "per minute", "created"}}
	for _, a := range accounts {
		admitted := "yes"
		if a.Blocked != "" {
			admitted = "no: " + string(a.Blocked)
		}
		t.add(string(a.ID), a.Name, string(a.Plan), string(a.Status), admitted, strconv.Itoa(a.PerMinute), stamp(a.CreatedAt))
	}
	return t
}

// accountsShow prints one account with its people, but none of its keys.
func (c *cli) accountsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ACCOUNT", Short: "Show an account, its people and rights", Args: exact("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				a, err := api.Account(ctx, accountRef(args[0]))
				if err != nil {
					return err
				}
				return c.show(a, accountSheet(a))
			})
		},
	}
}

// accountSheet turns one account on its side: a field a line.
func accountSheet(a client.AccountDetail) table {
	t := table{header: []string{"field", "value"}}
	t.add("id", string(a.ID))
	t.add("name", a.Name)
	t.add("plan", string(a.Plan))
	t.add("status", string(a.Status)+" since "+stamp(a.StatusSince))
	t.add("keys admitted", map[bool]string{true: "yes", false: "no: " + string(a.Blocked)}[a.Blocked == ""])
	t.add("families", list(a.Families, "none"))
	t.add("per minute", strconv.Itoa(a.PerMinute))
	t.add("purchased credits", strconv.FormatInt(a.Entitlements.PurchasedCredits, 10))
	t.add("live keys", strconv.Itoa(a.LiveKeys))
	t.add("created", stamp(a.CreatedAt))
	for _, m := range a.Members {
		t.add("member", m.Email+" ("+m.Name+")")
	}
	return t
}

// accountsRename changes what people call an account; its id, which callers and
// reports use, stays.
func (c *cli) accountsRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename ACCOUNT NAME", Short: "Give an account another name", Args: exact("ACCOUNT", "NAME"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.accountAnswer(api.RenameAccount(ctx, client.RenameAccountRequest{AccountRef: accountRef(args[0]), Name: args[1]}))
			})
		},
	}
}

// accountsSetPlan returns when no node admits a call on the old plan any more.
func (c *cli) accountsSetPlan() *cobra.Command {
	cadence, anchor := "", ""
	cmd := &cobra.Command{
		Use: "set-plan ACCOUNT PLAN", Short: "Move an account to another plan", Args: exact("ACCOUNT", "PLAN"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			began, err := past(anchor)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.accountAnswer(api.SetPlan(ctx, client.SetPlanRequest{
					AccountRef: accountRef(args[0]), Plan: toksta.PlanID(args[1]), Cadence: cadence, CycleAnchor: began,
				}))
			})
		},
	}
	cmd.Flags().StringVar(&cadence, "cadence", "", "monthly or annual (default: as it is)")
	cmd.Flags().StringVar(&anchor, "cycle-anchor", "", "a day that a billing cycle began on, such as 2026-11-15 (default: as it is)")
	return cmd
}

// accountsSetStatus is for vendors whose billing does not report by itself.
// Keys of a lapsed account are refused, not revoked.
func (c *cli) accountsSetStatus() *cobra.Command {
	return &cobra.Command{
		Use: "set-status ACCOUNT STATUS", Short: "State an account's billing state", Args: exact("ACCOUNT", "STATUS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.accountAnswer(api.SetStatus(ctx, client.SetStatusRequest{AccountRef: accountRef(args[0]), Status: toksta.Status(args[1])}))
			})
		},
	}
}

// accountsSetEntitlement takes the names that the usage document has; "default"
// takes an exception back.
func (c *cli) accountsSetEntitlement() *cobra.Command {
	return &cobra.Command{
		Use: "set-entitlement ACCOUNT NAME=VALUE", Short: "Set an account's exception from its plan", Args: exact("ACCOUNT", "NAME=VALUE"),
		Example: `  toksta accounts set-entitlement acct_01… api_access_enabled=true
  toksta accounts set-entitlement acct_01… purchased_credits=+500
  toksta accounts set-entitlement acct_01… rate_limit_per_minute=default`,
		ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, value, _ := strings.Cut(args[1], "=")
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.accountAnswer(api.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: accountRef(args[0]), Name: name, Value: value}))
			})
		},
	}
}

// accountsInvite prints the link as the only line of data. Nothing sends it.
func (c *cli) accountsInvite() *cobra.Command {
	var r client.InviteRequest
	cmd := &cobra.Command{
		Use: "invite", Short: "Invite a person to sign up", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				answer, err := api.Invite(ctx, r)
				if err != nil {
					return err
				}
				c.receipt(answer.Receipt)
				c.say("The link is shown this once and is good until %s.", stamp(answer.ExpiresAt))
				return c.show(answer, table{rows: [][]string{{answer.URL}}})
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "account to join (default: a new one)")
	cmd.Flags().StringVar(&r.Email, "email", "", "the only address that may use it (default: any)")
	return cmd
}

// accountRef does not look at id: what is no account is not found by the server.
func accountRef(id string) client.AccountRef { return client.AccountRef{Account: toksta.AccountID(id)} }

// accountAnswer prints a changed account, its receipt on standard error.
func (c *cli) accountAnswer(answer client.AccountAnswer, err error) error {
	if err != nil {
		return err
	}
	c.receipt(answer.Receipt)
	return c.show(answer, accountTable(answer.Account))
}
