package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// events returns the commands for events and their deliveries.
func (c *cli) events() *cobra.Command {
	return commandGroup("events", "Show events and their deliveries by webhook and mail, and replay them",
		c.listEvents(), c.showEvent(), c.replayEvents(),
		&cobra.Command{
			Use: "test WEBHOOK", Short: "Send a signed test event and show the response of the receiver", Args: exactArgs("WEBHOOK"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
					response, err := api.TestEvent(ctx, client.TestEventRequest{Channel: args[0]})
					if err != nil {
						return err
					}
					c.say("%s %s.", args[0], response.Outcome)
					return nil
				})
			},
		},
	)
}

// listEvents returns the command that prints events with their deliveries, by
// default the newest 50.
func (c *cli) listEvents() *cobra.Command {
	var r client.ListEventsRequest
	cmd := &cobra.Command{
		Use: "list", Short: "List events, newest first; --state dead lists undelivered ones", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := listAll(r.Limit, func(before string, n int) ([]client.Event, string, error) {
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
	cmd.Flags().StringVar((*string)(&r.Account), "account", "", "only events of this account")
	cmd.Flags().StringVar(&r.State, "state", "", "only events with a delivery that is pending, delivered or dead")
	cmd.Flags().StringVar(&r.Channel, "channel", "", "with --state: only deliveries to this webhook, or mail")
	cmd.Flags().IntVar(&r.Limit, "limit", 50, "largest number of events; 0: all")
	return cmd
}

// eventTable has a row for each delivery, and a row for an event without
// deliveries.
func eventTable(events []client.Event) table {
	t := table{header: []string{"event", "at", "type", "account", "channel", "state", "attempts", "next", "outcome"}}
	for _, e := range events {
		deliveries := e.Deliveries
		if len(deliveries) == 0 {
			deliveries = []client.Delivery{{Outcome: "no receiver"}}
		}
		for _, d := range deliveries {
			t.add(e.ID, formatTime(e.At), string(e.Kind), string(e.AccountID), d.Channel, d.State,
				strconv.Itoa(d.Attempts), formatTime(d.NextAt), d.Outcome)
		}
	}
	return t
}

// showEvent returns the command that prints one event with its deliveries.
func (c *cli) showEvent() *cobra.Command {
	return &cobra.Command{
		Use: "show EVENT", Short: "Show an event; -o json has its data too", Args: exactArgs("EVENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				e, err := api.Event(ctx, client.EventRef{Event: args[0]})
				if err != nil {
					return err
				}
				return c.show(e, eventTable([]client.Event{e}))
			})
		},
	}
}

// replayEvents returns the command that delivers events again. It requires an
// event or --dead, so that a forgotten argument does not replay every failed
// delivery.
func (c *cli) replayEvents() *cobra.Command {
	var r client.ReplayRequest
	cmd := &cobra.Command{
		Use: "replay [EVENT]", Short: "Deliver an event again, or all dead deliveries, with the same ids", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Event = args[0]
			}
			if (r.Event == "") != r.Dead {
				return usageError{errors.New("expected either an EVENT or --dead"), cmd.CommandPath()}
			}
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				response, err := api.ReplayEvents(ctx, r)
				if err != nil {
					return err
				}
				c.say("Deliveries that are pending again: %d.", response.Due)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&r.Dead, "dead", false, "all dead deliveries")
	cmd.Flags().StringVar(&r.Channel, "channel", "", "only deliveries to this webhook, or mail")
	return cmd
}
