package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// credits returns the commands for purchases, corrections and reservations. A
// command that moves credits prints the new entry or the reservation.
func (c *cli) credits() *cobra.Command {
	return commandGroup("credits", "Sell, correct and reserve credits, and list their entries",
		c.creditsTopUp(), c.creditsAdjust(), c.creditsReserve(), c.creditsSettle(), c.creditsRefund(),
		c.creditsList(), c.creditsReservations(), c.creditsVerify(),
	)
}

// withIdempotencyKey adds to a command the flag that makes it safe to repeat. The
// default of the flag is a new random idempotency key.
func withIdempotencyKey(cmd *cobra.Command, key *string) *cobra.Command {
	cmd.Flags().StringVar(key, "idempotency-key", rand.Text(), "a repeat with the same `key` has no further effect")
	cmd.Flag("idempotency-key").DefValue = ""
	return cmd
}

// creditsTopUp returns the command that records a purchase of credits, without
// its price.
func (c *cli) creditsTopUp() *cobra.Command {
	var r client.PurchaseRequest
	cmd := &cobra.Command{
		Use: "top-up ACCOUNT CREDITS", Short: "Add purchased credits to an account", Args: exactArgs("ACCOUNT", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta credits top-up acct_01… 500 --reason "order 1234" --idempotency-key order-1234`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef = accountRef(args[0])
			if r.Credits, err = parseCredits(cmd, args[1]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printPurchase(api.TopUpCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the entry, such as an order number")
	return withIdempotencyKey(cmd, &r.IdempotencyKey)
}

// creditsAdjust returns the command that corrects purchased credits. It takes the
// difference from a flag: an argument with a minus would be parsed as a flag.
func (c *cli) creditsAdjust() *cobra.Command {
	var r client.PurchaseRequest
	cmd := &cobra.Command{
		Use: "adjust ACCOUNT --by CREDITS --reason TEXT", Short: "Correct purchased credits, up or down", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		Example: `  toksta credits adjust acct_01… --by -50 --reason "order 1234 was returned"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef = accountRef(args[0])
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printPurchase(api.AdjustCredits(ctx, r))
			})
		},
	}
	cmd.Flags().Int64Var(&r.Credits, "by", 0, "number of `credits` to add, or to remove with a minus")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the entry and the audit trail")
	_ = cmd.MarkFlagRequired("by")
	_ = cmd.MarkFlagRequired("reason")
	return withIdempotencyKey(cmd, &r.IdempotencyKey)
}

// printPurchase prints the entry of a purchase, and the balance on standard error.
func (c *cli) printPurchase(response client.PurchaseResponse, err error) error {
	if err != nil {
		return err
	}
	c.printReceipt(response.Receipt)
	c.say("%d of %d purchased credits are left.", response.Left, response.Purchased)
	return c.show(response, entryTable(response.Entry))
}

// creditsReserve returns the command that reserves credits, as a back end does
// for a job.
func (c *cli) creditsReserve() *cobra.Command {
	var r client.ReserveRequest
	expires := time.Duration(0)
	cmd := &cobra.Command{
		Use: "reserve ACCOUNT CREDITS --family F --cost-key K", Short: "Set credits aside for a job", Args: exactArgs("ACCOUNT", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			// 0 in the request means a day.
			if expires < time.Second {
				return usageError{errors.New("--expires-in is 1s or more"), cmd.CommandPath()}
			}
			r.AccountRef, r.ExpiresIn = accountRef(args[0]), int64(expires/time.Second)
			if r.Credits, err = parseCredits(cmd, args[1]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printReservation(api.ReserveCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Family), "family", "", "endpoint `family` of the job")
	cmd.Flags().StringVar(&r.CostKey, "cost-key", "", "`name` of the charge in usage")
	cmd.Flags().StringVar((*string)(&r.Key), "key", "", "`id` of the key whose call started the job")
	cmd.Flags().DurationVar(&expires, "expires-in", 24*time.Hour, "`time` after which an open reservation is released")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the entry")
	_ = cmd.MarkFlagRequired("family")
	_ = cmd.MarkFlagRequired("cost-key")
	return withIdempotencyKey(cmd, &r.IdempotencyKey)
}

// creditsSettle returns the command that charges a part of a reservation and
// releases the rest.
func (c *cli) creditsSettle() *cobra.Command {
	var r client.CloseRequest
	cmd := &cobra.Command{
		Use: "settle ACCOUNT RESERVATION CREDITS", Short: "Charge the price of a job and release the rest", Args: exactArgs("ACCOUNT", "RESERVATION", "CREDITS"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.AccountRef, r.Reservation = accountRef(args[0]), toksta.ReservationID(args[1])
			if r.Credits, err = parseCredits(cmd, args[2]); err != nil {
				return err
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printReservation(api.SettleCredits(ctx, r))
			})
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the entry")
	return withIdempotencyKey(cmd, &r.IdempotencyKey)
}

// creditsRefund returns the command that releases an open reservation, or refunds
// a settled one: all of its credits if no number is given.
func (c *cli) creditsRefund() *cobra.Command {
	var r client.CloseRequest
	cmd := &cobra.Command{
		Use: "refund ACCOUNT RESERVATION", Short: "Release an open reservation, or refund a settled one", Args: exactArgs("ACCOUNT", "RESERVATION"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef, r.Reservation = accountRef(args[0]), toksta.ReservationID(args[1])
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				return c.printReservation(api.RefundCredits(ctx, r))
			})
		},
	}
	cmd.Flags().Int64Var(&r.Credits, "credits", 0, "number of charged credits to refund (default: all)")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "`text` for the entry")
	return withIdempotencyKey(cmd, &r.IdempotencyKey)
}

// printReservation prints a changed reservation.
func (c *cli) printReservation(response client.ReservationResponse, err error) error {
	if err != nil {
		return err
	}
	return c.show(response, reservationTable(response.Reservation))
}

// creditsList returns the command that prints the credit entries of an account.
func (c *cli) creditsList() *cobra.Command {
	var r client.CreditEntriesRequest
	cmd := &cobra.Command{
		Use: "list ACCOUNT", Short: "List an account's credit entries, newest first", Args: exactArgs("ACCOUNT"), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.AccountRef = accountRef(args[0])
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(r.Limit, func(before int64, n int) ([]client.CreditEntry, int64, error) {
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
	cmd.Flags().StringVar((*string)(&r.Reservation), "reservation", "", "only entries of this `reservation`")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "largest number of entries; 0: all")
	return cmd
}

// entryTable lists entries. Credits have a minus if they were taken from the
// account.
func entryTable(entries ...client.CreditEntry) table {
	t := table{header: []string{"number", "at", "kind", "credits", "included", "purchased", "overage", "reservation", "by", "reason"}}
	for _, e := range entries {
		t.add(strconv.FormatInt(e.Number, 10), formatTime(e.At), e.Kind, signed(e.Credits.Total), signed(e.Credits.Included),
			signed(e.Credits.Purchased), signed(e.Credits.Overage), string(e.ReservationID), e.Actor, e.Reason)
	}
	return t
}

// signed formats a number with its sign, also if it is positive.
func signed(n int64) string { return fmt.Sprintf("%+d", n) }

// creditsReservations returns the command that prints the open reservations.
func (c *cli) creditsReservations() *cobra.Command {
	var r client.ReservationsRequest
	limit := 0
	cmd := &cobra.Command{
		Use: "reservations [ACCOUNT]", Short: "List open reservations, oldest first", Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Account = toksta.AccountID(args[0])
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(limit, func(after toksta.ReservationID, n int) ([]client.Reservation, toksta.ReservationID, error) {
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
	cmd.Flags().IntVar(&limit, "limit", 0, "largest number of reservations (default: all)")
	return cmd
}

// reservationTable lists reservations with their charges, and with the time after
// which an open one is released.
func reservationTable(reservations ...client.Reservation) table {
	t := table{header: []string{"id", "account", "cost key", "state", "reserved", "charged", "created", "expires"}}
	for _, r := range reservations {
		t.add(string(r.ID), string(r.AccountID), r.CostKey, r.State, strconv.FormatInt(r.Reserved.Total, 10),
			strconv.FormatInt(r.Charged.Total, 10), formatTime(r.CreatedAt), formatTime(r.ExpiresAt))
	}
	return t
}

// creditsVerify returns the command that compares every balance with its entries.
// On a difference the command fails, so that a cron job notices it.
func (c *cli) creditsVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Compute every balance again from its entries", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
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
					t.add(string(d.AccountID), "owed: "+d.Text+"; the next purchase pays it")
				}
				if err := c.show(v, t); err != nil || len(v.Differences) == 0 {
					return err
				}
				return fmt.Errorf("%d balances differ from their entries", len(v.Differences))
			})
		},
	}
}

// parseCredits parses a number of credits.
func parseCredits(cmd *cobra.Command, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is not a number of credits", text), cmd.CommandPath()}
	}
	return n, nil
}
