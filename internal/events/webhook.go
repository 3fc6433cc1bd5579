package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	answerTime = 20 * time.Second // for a receiver to take an event
	maxAnswer  = 64 << 10         // read of an answer, in bytes, so that the connection can be used again
)

// WebhookConfig says where to send and what to sign with. All fields are
// required; several secrets sign at once while receivers change to another.
type WebhookConfig struct {
	URL     string
	Secrets []toksta.SigningSecret
	Now     func() time.Time
}

// Webhook carries events to an address of the vendor's, signed in the form of
// Standard Webhooks. It goes where the operator's configuration sends it,
// inside the vendor's network too; it follows no redirect and no proxy.
type Webhook struct {
	config WebhookConfig
	client *http.Client
}

// NewWebhook connects to nothing yet.
func NewWebhook(c WebhookConfig) *Webhook {
	return &Webhook{c, &http.Client{
		Timeout:       answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			MaxConnsPerHost:        batch,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
	}}
}

// message is the body of a webhook. It is the same at every attempt.
type message struct {
	Type      toksta.EventKind `json:"type"`
	Timestamp time.Time        `json:"timestamp"` // of the event
	Data      json.RawMessage  `json:"data"`
}

// Carry implements [Carrier]. Any 2xx is a receipt, 410 a farewell.
func (w *Webhook) Carry(ctx context.Context, e store.Event) (string, error) {
	body, err := json.Marshal(message{e.Kind, e.At.UTC(), e.Data})
	if err != nil {
		return "", fmt.Errorf("encode the event: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("make the request: %w", err)
	}
	w.sign(r.Header, e.ID, body)
	start := time.Now()
	answer, err := w.client.Do(r)
	if err != nil {
		return "", plain(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // the status has said all
	status := strings.TrimSpace(fmt.Sprintf("answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode)))
	switch {
	case answer.StatusCode/100 == 2:
		return fmt.Sprintf("%s in %d ms", status, time.Since(start).Milliseconds()), nil
	case answer.StatusCode == http.StatusGone:
		return "", fmt.Errorf("%s: %w", status, ErrGone)
	default:
		return "", &LaterError{errors.New(status), w.retryAfter(answer.Header.Get("Retry-After"))}
	}
}

// sign states the event's id, the attempt's time, and a signature by each
// secret.
func (w *Webhook) sign(h http.Header, id string, body []byte) {
	now := w.config.Now()
	signatures := make([]string, len(w.config.Secrets))
	for i, s := range w.config.Secrets {
		signatures[i] = s.Sign(id, now, body)
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Toksta-Webhooks")
	h.Set(toksta.HeaderWebhookID, id)
	h.Set(toksta.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(toksta.HeaderWebhookSignature, strings.Join(signatures, " "))
}

// retryAfter reads seconds or a date; anything else asks for nothing.
func (w *Webhook) retryAfter(field string) time.Duration {
	if seconds, err := strconv.ParseInt(field, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(field); err == nil {
		return at.Sub(w.config.Now())
	}
	return 0
}

// plain is a failure to get an answer, without the method and address that
// net/http puts before it, and without what the receiver said instead of an
// answer: that may be our own signature.
func plain(err error) error {
	wrapped, ok := errors.AsType[*url.Error](err)
	switch {
	case !ok:
		return err
	case wrapped.Timeout():
		return errors.New("no answer in time")
	case strings.Contains(wrapped.Err.Error(), `"`) || strings.Contains(wrapped.Err.Error(), "malformed"):
		return errors.New("the answer is no HTTP")
	default:
		return wrapped.Err
	}
}
