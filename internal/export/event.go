package export

import (
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// cloudEvent is an event in the JSON format of CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion     string           `json:"specversion"`
	ID              string           `json:"id"`
	Source          string           `json:"source"`
	Type            string           `json:"type"`
	Subject         toksta.AccountID `json:"subject"`
	Time            time.Time        `json:"time"` // start of the hour, so it is in the month to which it belongs
	DataContentType string           `json:"datacontenttype"`
	Data            data             `json:"data"`
}

// data is the increase of the usage of an hour.
type data struct {
	// ExternalID is the account's id in the vendor's systems when the event was staged, left
	// out if it had none.
	ExternalID string `json:"external_id,omitempty"`

	KeyID     toksta.KeyID  `json:"key_id"`
	Family    toksta.Family `json:"family"`
	CostKey   string        `json:"cost_key"`
	Calls     int64         `json:"calls"`
	Credits   int64         `json:"credits"`   // total
	Purchased int64         `json:"purchased"` // part of credits: purchased ones
	Overage   int64         `json:"overage"`   // part of credits: beyond included and purchased ones
	// OverageMicros is the price of the overage in millionths of the currency's unit. A receiver that
	// reads numbers as floats adds it up exactly.
	OverageMicros int64 `json:"overage_micros"`
	// Currency is the code of the currency, left out for the default currency.
	Currency string `json:"currency,omitempty"`
}

// cloudEvents converts staged usage to CloudEvents.
func (e *Exporter) cloudEvents(events []store.UsageEvent) []cloudEvent {
	stated := ""
	if !e.Currency.IsDefault() {
		stated = e.Currency.Code()
	}
	out := make([]cloudEvent, len(events))
	for i, u := range events {
		out[i] = cloudEvent{
			SpecVersion: "1.0", ID: u.ID, Source: e.Source, Type: e.Type, Subject: u.AccountID,
			Time: time.Unix(u.Hour*3600, 0).UTC(), DataContentType: "application/json",
			Data: data{
				ExternalID: u.ExternalID, KeyID: u.KeyID, Family: u.Family, CostKey: u.CostKey, Calls: u.Calls,
				Credits: u.Charge.Credits, Purchased: u.Charge.Purchased,
				Overage: u.Charge.Overage, OverageMicros: u.Charge.OverageMicros, Currency: stated,
			},
		}
	}
	return out
}
