package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// credits groups what moves an account's credits apart from calls. Whatever is
// moved is printed as the line that the ledger has of it.
func (c *cli) credits() *cobra.Command {
	return noun("credits", "Sell, correct and reserve credits, and look into their ledger",
		c.creditsTopUp(), c.creditsAdjust(), c.creditsReserve(), c.creditsSettle(), c.creditsRefund(),
		c.creditsList(), c.creditsReservations(), c.creditsVerify(),
	)
}

// once adds the flag that makes a command safe to repeat, a new key each time
// when a person leaves it out.
func once(cmd *cobra.Command, key *string) *cobra.Command {
	cmd.Flags().StringVar(key, "idempotency-key", rand.Text(), "a repeat with the same `key` is done once")
	cmd.Flag("idempotency-key").DefValue = ""
	return cmd
}

// creditsTopUp is a sale; what was paid for it is the vendor's to know.
func (c *cli) creditsTopUp() *cobra.Command {
	var r client.PurchaseRequest
	cmd := &cobra.Command{
		Use: "top-up ACCOUNT CREDITS", Short: "Add credits that an account has bought", Args: exact("ACCOUNT", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta credits top-up acct_01… 500 --reason "order 1234" --idempotency-key order-1234`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef = accountRef(args[0])
			if r.Credits, err = number(cmd, args[1]); err != nil {
				return err
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.purchaseAnswer(api.TopUpCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the ledger, such as an order's number")
	return once(cmd, &r.IdempotencyKey)
}

// creditsAdjust takes the difference by a flag: an argument that begins with a
// minus would be one itself.
func (c *cli) creditsAdjust() *cobra.Command {
	var r client.PurchaseRequest
	cmd := &cobra.Command{
		Use: "adjust ACCOUNT --by CREDITS --reason TEXT", Short: "Correct purchased credits by hand, up or down", Args: exact("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta credits adjust acct_01… --by -50 --reason "order 1234 was returned"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef = accountRef(args[0])
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.purchaseAnswer(api.AdjustCredits(ctx, r))
			})
		},
	}
	cmd.Flags().Int64Var(&r.Credits, "by", 0, "how many `credits` more, or fewer with a minus")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the ledger and the audit trail")
	_ = cmd.MarkFlagRequired("by")
	_ = cmd.MarkFlagRequired("reason")
	return once(cmd, &r.IdempotencyKey)
}

// purchaseAnswer prints the entry of a purchase, and what is left on standard
// error.
func (c *cli) purchaseAnswer(answer client.PurchaseAnswer, err error) error {
	if err != nil {
		return err
	}
	c.receipt(answer.Receipt)
	c.say("%d purchased credits are left of %d ever bought.", answer.Left, answer.Purchased)
	return c.show(answer, entryTable(answer.Entry))
}

// creditsReserve does by hand what a back end does for a job.
func (c *cli) creditsReserve() *cobra.Command {
	var r client.ReserveRequest
	expires := time.Duration(0)
	cmd := &cobra.Command{
		Use: "reserve ACCOUNT CREDITS --family F --cost-key K", Short: "Set credits aside for a job", Args: exact("ACCOUNT", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef, r.ExpiresIn = accountRef(args[0]), int64(expires/time.Second)
			if r.Credits, err = number(cmd, args[1]); err != nil {
				return err
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.reservationAnswer(api.ReserveCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Family), "family", "", "endpoint `family` that the job belongs to")
	cmd.Flags().StringVar(&r.CostKey, "cost-key", "", "`name` that usage shows the charge under")
	cmd.Flags().StringVar((*string)(&r.Key), "key", "", "`id` of the key whose call began the job")
	cmd.Flags().DurationVar(&expires, "expires-in", 24*time.Hour, "`time` until what is not settled goes back")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the ledger")
	_ = cmd.MarkFlagRequired("family")
	_ = cmd.MarkFlagRequired("cost-key")
	return once(cmd, &r.IdempotencyKey)
}

// creditsSettle ends a reservation; what it does not charge goes back.
func (c *cli) creditsSettle() *cobra.Command {
	var r client.CloseRequest
	cmd := &cobra.Command{
		Use: "settle ACCOUNT RESERVATION CREDITS", Short: "Charge what a job cost and give the rest back", Args: exact("ACCOUNT", "RESERVATION", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef, r.Reservation = accountRef(args[0]), toksta.ReservationID(args[1])
			if r.Credits, err = number(cmd, args[2]); err != nil {
				return err
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.reservationAnswer(api.SettleCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the ledger")
	return once(cmd, &r.IdempotencyKey)
}

// creditsRefund gives back all when no number is given.
func (c *cli) creditsRefund() *cobra.Command {
	var r client.CloseRequest
	cmd := &cobra.Command{
		Use: "refund ACCOUNT RESERVATION", Short: "Give back what a reservation holds or has charged", Args: exact("ACCOUNT", "RESERVATION"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef, r.Reservation = accountRef(args[0]), toksta.ReservationID(args[1])
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.reservationAnswer(api.RefundCredits(ctx, r))
			})
		},
	}
	cmd.Flags().Int64Var(&r.Credits, "credits", 0, "of what was charged, so many (default: all)")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the ledger")
	return once(cmd, &r.IdempotencyKey)
}

// reservationAnswer prints a reservation as the request left it.
func (c *cli) reservationAnswer(answer client.ReservationAnswer, err error) error {
	if err != nil {
		return err
	}
	return c.show(answer, reservationTable(answer.Reservation))
}

// creditsList prints an account's ledger.
func (c *cli) creditsList() *cobra.Command {
	var r client.CreditEntriesRequest
	cmd := &cobra.Command{
		Use: "list ACCOUNT", Short: "Show an account's ledger, newest first", Args: exact("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef = accountRef(args[0])
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(r.Limit, func(before int64, n int) ([]client.CreditEntry, int64, error) {
					q := r
					q.Before, q.Limit = before, n
					page, err := api.CreditEntries(ctx, q)
					return page.Entries, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, entryTable(all...))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Reservation), "reservation", "", "entries of this `reservation` alone")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "at most so many; 0 for all")
	return cmd
}

// entryTable shows what each entry gave to the account, or took with a minus.
func entryTable(entries ...client.CreditEntry) table {
	t := table{header: []string{"number", "at", "kind", "credits", "included", "purchased", "overage", "reservation", "by", "reason"}}
	for _, e := range entries {
		t.add(strconv.FormatInt(e.Number, 10), stamp(e.At), e.Kind, signed(e.Credits.Total), signed(e.Credits.Included),
			signed(e.Credits.Purchased), signed(e.Credits.Overage), string(e.ReservationID), e.Actor, e.Reason)
	}
	return t
}

// signed shows the direction, which a bare number leaves open.
func signed(n int64) string { return fmt.Sprintf("%+d", n) }

// creditsReservations prints what is set aside at this moment.
func (c *cli) creditsReservations() *cobra.Command {
	var r client.ReservationsRequest
	limit := 0
	cmd := &cobra.Command{
		Use: "reservations [ACCOUNT]", Short: "List open reservations, oldest first", Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Account = toksta.AccountID(args[0])
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(limit, func(after toksta.ReservationID, n int) ([]client.Reservation, toksta.ReservationID, error) {
					q := r
					q.After, q.Limit = string(after), n
					page, err := api.Reservations(ctx, q)
					return page.Reservations, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, reservationTable(all...))
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (default all)")
	return cmd
}

// reservationTable shows what was set aside, what of it was charged, and when
// the rest goes back by itself.
func reservationTable(reservations ...client.Reservation) table {
	t := table{header: []string{"id", "account", "cost key", "state", "reserved", "charged", "created", "expires"}}
	for _, r := range reservations {
		t.add(string(r.ID), string(r.AccountID), r.CostKey, r.State, strconv.FormatInt(r.Reserved.Total, 10),
			strconv.FormatInt(r.Charged.Total, 10), stamp(r.CreatedAt), stamp(r.ExpiresAt))
	}
	return t
}

// creditsVerify fails when a balance does not follow from its entries, so that
// a cron job notices.
func (c *cli) creditsVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Compute every balance again from the ledger's entries", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				api.Wait.Limit = max(api.Wait.Limit, longTimeout)
				v, err := api.VerifyCredits(ctx)
				if err != nil {
					return err
				}
				c.say("%d accounts, %d reservations, %d entries.", v.Accounts, v.Reservations, v.Entries)
				t := table{header: []string{"account", "finding"}}
				for _, d := range v.Differences {
					t.add(string(d.AccountID), d.Text)
				}
				for _, d := range v.Overspent {
					t.add(string(d.AccountID), "owed: "+d.Text+"; the next purchase pays the rest")
				}
				if err := c.show(v, t); err != nil || len(v.Differences) == 0 {
					return err
				}
				return fmt.Errorf("%d differences between balances and entries", len(v.Differences))
			})
		},
	}
}

// number reads a count of credits.
func number(cmd *cobra.Command, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is no number of credits", text), cmd.CommandPath()}
	}
	return n, nil
}
