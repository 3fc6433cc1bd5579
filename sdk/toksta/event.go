package toksta

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EventKind is what happened, in the words of a webhook's "type".
type EventKind string

// The kinds of events.
const (
	EventCreditsLow       EventKind = "credits.low"
	EventCreditsExhausted EventKind = "credits.exhausted"
	EventRateLimitHit     EventKind = "rate_limit.hit_often"
	EventTest             EventKind = "webhook.test" // an operator tries an endpoint; it happens to no account
)

// EventKinds returns the kinds that happen to accounts.
func EventKinds() []EventKind {
	return []EventKind{EventCreditsLow, EventCreditsExhausted, EventRateLimitHit}
}

// The header fields of a webhook, as Standard Webhooks has them.
const (
	HeaderWebhookID        = "Webhook-Id"        // the event's: the same at every attempt
	HeaderWebhookTimestamp = "Webhook-Timestamp" // of the attempt, Unix seconds
	HeaderWebhookSignature = "Webhook-Signature" // one for each secret, separated by spaces
)

// The form of a signing secret: signingPrefix and base64 of so many bytes.
const (
	signingPrefix = "whsec_"
	signingLeast  = 24
	signingMost   = 64
)

// SigningSecret is what sender and receiver of a webhook share. Its key hides
// behind a func value, out of reach of fmt, encoding/json and log/slog, and
// comes out in no way: it signs.
type SigningSecret struct{ mac func(message string) []byte }

// ParseSigningSecret reads "whsec_" and base64. Its error holds nothing of the
// text.
func ParseSigningSecret(text string) (SigningSecret, error) {
	encoded, ok := strings.CutPrefix(text, signingPrefix)
	if !ok {
		return SigningSecret{}, errors.New("a signing secret starts with " + signingPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return SigningSecret{}, errors.New("a signing secret is base64 behind " + signingPrefix)
	}
	if len(key) < signingLeast || len(key) > signingMost {
		return SigningSecret{}, fmt.Errorf("a signing secret holds %d to %d bytes, this has %d", signingLeast, signingMost, len(key))
	}
	return SigningSecret{mac: func(message string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(message))
		return h.Sum(nil)
	}}, nil
}

// Sign returns one signature of a webhook, "v1," and base64. It panics on the
// zero secret, which would sign for everybody.
func (s SigningSecret) Sign(id string, at time.Time, body []byte) string {
	message := id + "." + strconv.FormatInt(at.Unix(), 10) + "." + string(body)
	return "v1," + base64.StdEncoding.EncodeToString(s.mac(message))
}

// Format writes "[secret]" for every verb.
func (SigningSecret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalText refuses, so that no encoder can be handed a secret by mistake.
func (SigningSecret) MarshalText() ([]byte, error) {
	return nil, errors.New("toksta: a signing secret is never encoded")
}
