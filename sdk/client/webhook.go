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

// WebhookTolerance is the largest difference between the time of a webhook and
// the clock of the receiver, in either direction. An older webhook could be a
// copy that another party sends again.
const WebhookTolerance = 5 * time.Minute

// ErrWebhook means that a request is not a valid webhook: the id, the
// timestamp, the signature or the body is invalid, or the timestamp differs too
// much from the clock. The receiver should respond with 401.
var ErrWebhook = errors.New("client: the webhook cannot be verified")

// Webhook is a verified webhook.
type Webhook struct {
	ID   string           `json:"-"` // id of the event, the same for every attempt: process an id only once
	Kind toksta.EventKind `json:"type"`
	At   time.Time        `json:"timestamp"` // of the event
	Data json.RawMessage  `json:"data"`      // CreditsData or RateLimitData, depending on Kind
}

// CreditsData is the data of EventCreditsLow and EventCreditsExhausted.
type CreditsData struct {
	AccountID    toksta.AccountID `json:"account_id"`
	ExternalID   string           `json:"external_id,omitempty"` // the account's id in the vendor's systems when the event was raised; "": none
	Plan         toksta.PlanID    `json:"plan"`
	Remaining    int64            `json:"remaining"`
	Mark         int64            `json:"mark"` // threshold: credits are low at or below this number
	Included     int64            `json:"included"`
	IncludedUsed int64            `json:"included_used"`
	Purchased    int64            `json:"purchased"` // purchased credits that are left
	ResetsAt     time.Time        `json:"resets_at"` // end of the billing cycle
	Beyond       string           `json:"beyond"`    // treatment of calls without credits: refused or overage
}

// RateLimitData is the data of EventRateLimitHit.
type RateLimitData struct {
	AccountID  toksta.AccountID `json:"account_id"`
	ExternalID string           `json:"external_id,omitempty"` // see CreditsData
	Plan       toksta.PlanID    `json:"plan"`
	Refused    int64            `json:"refused"` // rejected calls of the hour so far
	Since      time.Time        `json:"since"`   // start of the hour
	PerMinute  int              `json:"limit_per_minute"`

	// The further limits on the calls of the account. 0: no limit.
	PerHour    int `json:"limit_per_hour,omitempty"`
	PerDay     int `json:"limit_per_day,omitempty"`
	Concurrent int `json:"limit_concurrent,omitempty"` // calls at the same time, on each node
}

// VerifyWebhook verifies a webhook and returns its content. The header and the
// body must be exactly as received. The secrets ("whsec_…") are the signing
// secrets of the sender; one signature must match one secret. The parameter now
// is the time at the receiver. The error wraps ErrWebhook if the signature or
// the timestamp is invalid. A malformed secret is reported as a different
// error.
func VerifyWebhook(header http.Header, body []byte, now time.Time, secrets ...string) (Webhook, error) {
	id, at, err := parseHeader(header)
	if err != nil {
		return Webhook{}, err
	}
	if off := now.Sub(at); off > WebhookTolerance || off < -WebhookTolerance {
		return Webhook{}, fmt.Errorf("%w: the timestamp differs from the clock by %v", ErrWebhook, off.Abs().Round(time.Second))
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
		return Webhook{}, fmt.Errorf("%w: no signature matches a secret", ErrWebhook)
	}
	w := Webhook{ID: id}
	if err := json.Unmarshal(body, &w); err != nil {
		return Webhook{}, fmt.Errorf("%w: the body is not JSON", ErrWebhook)
	}
	return w, nil
}

// parseHeader returns the id and the timestamp of a webhook. It rejects an id
// with a dot, because the signed text could then be parsed as another id and
// timestamp.
func parseHeader(header http.Header) (id string, at time.Time, err error) {
	id, text := header.Get(toksta.HeaderWebhookID), header.Get(toksta.HeaderWebhookTimestamp)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if id == "" || strings.Contains(id, ".") || err != nil || strconv.FormatInt(seconds, 10) != text {
		return "", time.Time{}, fmt.Errorf("%w: the id or the timestamp is missing or malformed", ErrWebhook)
	}
	return id, time.Unix(seconds, 0), nil
}
