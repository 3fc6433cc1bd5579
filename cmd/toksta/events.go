package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// events groups what is told to the vendor and to customers.
func (c *cli) events() *cobra.Command {
	return noun("events", "See what was told by webhook and mail, and tell it again",
		c.listEvents(), c.showEvent(), c.replayEvents(),
		&cobra.Command{
			Use: "test WEBHOOK", Short: "Send a signed test event and say what the receiver answered", Args: exact("WEBHOOK"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return act(c, cmd, func(ctx context.Context, api *client.Client) error {
					answer, err := api.TestEvent(ctx, client.TestEventRequest{Channel: args[0]})
					if err != nil {
						return err
					}
					c.say("%s %s.", args[0], answer.Outcome)
					return nil
				})
			},
		},
	)
}

func (c *cli) listEvents() *cobra.Command {
	var r client.ListEventsRequest
	cmd := &cobra.Command{
		Use: "list", Short: "List events, newest first; --state dead for what could not be delivered", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := pages(r.Limit, func(before string, n int) ([]client.Event, string, error) {
					q := r
					q.Before, q.Limit = before, n
					page, err := api.ListEvents(ctx, q)
					return page.Events, page.Next, err
				})
				if err != nil {
					return err
				}
				return c.show(all, eventTable(all))
			})
		},
	}
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "events of this account alone")
	cmd.Flags().StringVar(&r.State, "state", "", "with a delivery that is pending, delivered or dead")
	cmd.Flags().StringVar(&r.Channel, "channel", "", "with --state: a delivery to this webhook, or mail")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "at most so many; 0 for all")
	return cmd
}

// eventTable has a row for each delivery, and one for an event without any.
func eventTable(events []client.Event) table {
	t := table{header: []string{"event", "at", "type", "account", "channel", "state", "attempts", "next", "outcome"}}
	for _, e := range events {
		deliveries := e.Deliveries
		if len(deliveries) == 0 {
			deliveries = []client.Delivery{{Outcome: "nobody is to be told"}}
		}
		for _, d := range deliveries {
			t.add(e.ID, stamp(e.At), string(e.Kind), string(e.AccountID), d.Channel, d.State,
				strconv.Itoa(d.Attempts), stamp(d.NextAt), d.Outcome)
		}
	}
	return t
}

func (c *cli) showEvent() *cobra.Command {
	return &cobra.Command{
		Use: "show EVENT", Short: "Show an event; -o json has its data too", Args: exact("EVENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				e, err := api.Event(ctx, client.EventRef{Event: args[0]})
				if err != nil {
					return err
				}
				return c.show(e, eventTable([]client.Event{e}))
			})
		},
	}
}

// replayEvents wants one event or --dead, so that a forgotten argument does not
// tell everything again.
func (c *cli) replayEvents() *cobra.Command {
	var r client.ReplayRequest
	cmd := &cobra.Command{
		Use: "replay [EVENT]", Short: "Deliver an event again, or all dead letters, under the old ids", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Event = args[0]
			}
			if (r.Event == "") != r.Dead {
				return usageError{errors.New("expected an EVENT or --dead, one of them"), cmd.CommandPath()}
			}
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				answer, err := api.ReplayEvents(ctx, r)
				if err != nil {
					return err
				}
				c.say("Due again: %d.", answer.Due)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&r.Dead, "dead", false, "all that were given up")
	cmd.Flags().StringVar(&r.Channel, "channel", "", "to this webhook, or mail, alone")
	return cmd
}
