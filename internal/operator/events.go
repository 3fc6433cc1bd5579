package operator

import (
	"context"
	"slices"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// listEvents lists events with their deliveries, the newest first.
func (s server) listEvents(ctx context.Context, _ toksta.Actor, r client.ListEventsRequest) (client.EventPage, error) {
	shown, asked, limitErr := pageOf(r.Limit)
	var stateErr, channelErr error
	state := store.DeliveryState(r.State)
	if !slices.Contains([]store.DeliveryState{"", store.DeliveryPending, store.DeliveryDelivered, store.DeliveryDead}, state) {
		stateErr = toksta.Invalid("state", "pending, delivered or dead.")
	}
	if r.Channel != "" && state == "" {
		channelErr = toksta.Invalid("channel", "Also give the state of its deliveries.")
	}
	if err := toksta.InvalidFields(limitErr, stateErr, channelErr); err != nil {
		return client.EventPage{}, err
	}
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.EventPage{}, err
	}
	rows, err := s.Events.List(ctx, store.EventQuery{
		Account: r.Account, State: state, Channel: r.Channel, Before: r.Before, Limit: asked,
	})
	if err != nil {
		return client.EventPage{}, err
	}
	page := client.EventPage{Events: []client.Event{}}
	for _, e := range rows[:min(len(rows), shown)] {
		page.Events = append(page.Events, event(e))
	}
	if len(rows) > shown {
		page.Next = rows[shown-1].ID
	}
	return page, nil
}

func (s server) showEvent(ctx context.Context, _ toksta.Actor, r client.EventRef) (client.Event, error) {
	e, err := s.Events.Get(ctx, r.Event)
	if err != nil {
		return client.Event{}, err
	}
	return event(e), nil
}

// replayEvents repeats the deliveries of one event, or all failed ("dead") deliveries.
// An empty request is invalid.
func (s server) replayEvents(ctx context.Context, _ toksta.Actor, r client.ReplayRequest) (client.ReplayResponse, error) {
	if (r.Event == "") != r.Dead {
		return client.ReplayResponse{}, toksta.Invalid("event", "Name one event, or ask for all dead letters, not both.")
	}
	due, err := s.Events.Replay(ctx, r.Event, r.Channel)
	return client.ReplayResponse{Due: due}, err
}

func (s server) testEvent(ctx context.Context, _ toksta.Actor, r client.TestEventRequest) (client.TestEventResponse, error) {
	outcome, err := s.Events.Test(ctx, r.Channel)
	return client.TestEventResponse{Outcome: outcome}, err
}

// event converts an event to its form in a response.
func event(e store.Event) client.Event {
	out := client.Event{ID: e.ID, Kind: e.Kind, At: e.At, AccountID: e.AccountID, Data: e.Data, Deliveries: []client.Delivery{}}
	for _, d := range e.Deliveries {
		shown := client.Delivery{
			Channel: d.Channel, State: string(d.State), Attempts: d.Attempts, TriedAt: d.TriedAt, Outcome: d.Outcome,
		}
		if d.State == store.DeliveryPending {
			shown.NextAt = d.NextAt
		}
		out.Deliveries = append(out.Deliveries, shown)
	}
	return out
}
