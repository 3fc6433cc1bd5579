package client

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// WebhookTolerance is how far the time of a webhook may be from the receiver's
// clock, either way. An older one may be somebody's recording.
const WebhookTolerance = 5 * time.Minute

// ErrWebhook means that a request is no webhook of the sender who shares the
// secret, or too old a one: answer it with 401.
var ErrWebhook = errors.New("client: not a webhook that can be trusted")

// Webhook is one that was verified.
type Webhook struct {
	ID   string           `json:"-"` // the event's: the same at every attempt, so do its work once
	Kind toksta.EventKind `json:"type"`
	At   time.Time        `json:"timestamp"` // when it happened
	Data json.RawMessage  `json:"data"`      // CreditsData or RateLimitData, as Kind has it
}

// CreditsData is the data of EventCreditsLow and EventCreditsExhausted.
type CreditsData struct {
	AccountID    toksta.AccountID `json:"account_id"`
	Plan         toksta.PlanID    `json:"plan"`
	Remaining    int64            `json:"remaining"`
	Mark         int64            `json:"mark"` // at or below which credits are low
	Included     int64            `json:"included"`
	IncludedUsed int64            `json:"included_used"`
	Purchased    int64            `json:"purchased"` // left
	ResetsAt     time.Time        `json:"resets_at"` // end of the billing cycle
	Beyond       string           `json:"beyond"`    // what happens to calls without credits: refused or overage
}

// RateLimitData is the data of EventRateLimitHit.
type RateLimitData struct {
	AccountID toksta.AccountID `json:"account_id"`
	Plan      toksta.PlanID    `json:"plan"`
	Refused   int64            `json:"refused"` // calls of the hour so far
	Since     time.Time        `json:"since"`   // start of the hour
	PerMinute int              `json:"limit_per_minute"`
}

// VerifyWebhook checks header and body, exactly as they arrived, against the
// secrets ("whsec_…") that the sender may sign with, and returns what they say.
// Any failure is ErrWebhook, but for a secret that is none.
func VerifyWebhook(header http.Header, body []byte, now time.Time, secrets ...string) (Webhook, error) {
	id, at, err := stated(header)
	if err != nil {
		return Webhook{}, err
	}
	if off := now.Sub(at); off > WebhookTolerance || off < -WebhookTolerance {
		return Webhook{}, fmt.Errorf("%w: its time is %v away", ErrWebhook, off.Abs().Round(time.Second))
	}
	signed := false
	for _, text := range secrets {
		secret, err := toksta.ParseSigningSecret(text)
		if err != nil {
			return Webhook{}, err
		}
		want := []byte(secret.Sign(id, at, body))
		for got := range strings.FieldsSeq(header.Get(toksta.HeaderWebhookSignature)) {
			signed = hmac.Equal([]byte(got), want) || signed
		}
	}
	if !signed {
		return Webhook{}, fmt.Errorf("%w: no signature is by a secret given", ErrWebhook)
	}
	w := Webhook{ID: id}
	if err := json.Unmarshal(body, &w); err != nil {
		return Webhook{}, fmt.Errorf("%w: the body is not JSON", ErrWebhook)
	}
	return w, nil
}

// stated reads what the header claims. An id with a dot could be read as
// another id with another time.
func stated(header http.Header) (id string, at time.Time, err error) {
	id, text := header.Get(toksta.HeaderWebhookID), header.Get(toksta.HeaderWebhookTimestamp)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if id == "" || strings.Contains(id, ".") || err != nil || strconv.FormatInt(seconds, 10) != text {
		return "", time.Time{}, fmt.Errorf("%w: its id or time is missing or malformed", ErrWebhook)
	}
	return id, time.Unix(seconds, 0), nil
}
