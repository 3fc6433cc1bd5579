package toksta

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// EventKind names the type of an event. It is the "type" of a webhook.
type EventKind string

// The kinds of events.
const (
	EventCreditsLow       EventKind = "credits.low"
	EventCreditsExhausted EventKind = "credits.exhausted"
	EventRateLimitHit     EventKind = "rate_limit.hit_often"
	EventTest             EventKind = "webhook.test" // sent by an operator to test an endpoint; it concerns no account
)

// EventKinds returns the kinds of events that concern accounts.
func EventKinds() []EventKind {
	return []EventKind{EventCreditsLow, EventCreditsExhausted, EventRateLimitHit}
}

// The header fields of a webhook, as Standard Webhooks defines them.
const (
	HeaderWebhookID        = "Webhook-Id"        // id of the event, the same for every attempt
	HeaderWebhookTimestamp = "Webhook-Timestamp" // time of the attempt, in Unix seconds
	HeaderWebhookSignature = "Webhook-Signature" // one signature for each secret, separated by spaces
)

// The form of a signing secret: signingPrefix, then a key in base64.
const (
	signingPrefix = "whsec_"
	minSigningKey = 24 // bytes
	maxSigningKey = 64 // bytes
)

// SigningSecret is the key that the sender and the receiver of a webhook share.
// It cannot be printed, encoded or read: it only signs.
type SigningSecret struct{ unprintable }

// ParseSigningSecret parses "whsec_" and a key of 24 to 64 bytes in base64. The
// error holds no part of the text.
func ParseSigningSecret(text string) (SigningSecret, error) {
	encoded, ok := strings.CutPrefix(text, signingPrefix)
	if !ok {
		return SigningSecret{}, errors.New("a signing secret starts with " + signingPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return SigningSecret{}, errors.New("a signing secret has base64 after " + signingPrefix)
	}
	if len(key) < minSigningKey || len(key) > maxSigningKey {
		return SigningSecret{}, fmt.Errorf("a signing secret has %d to %d bytes, this one has %d", minSigningKey, maxSigningKey, len(key))
	}
	return SigningSecret{conceal(string(key))}, nil
}

// Sign returns the signature of a webhook, "v1," and base64. It panics if s is the
// zero value, because anyone can sign with an empty key.
func (s SigningSecret) Sign(id string, at time.Time, body []byte) string {
	key := s.reveal()
	if key == "" {
		panic("toksta: a webhook signed without a secret")
	}
	h := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(h, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
