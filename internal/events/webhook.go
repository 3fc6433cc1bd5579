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
	responseTimeout = 20 * time.Second // of one request
	maxResponse     = 64 << 10         // bytes read of a response, so that the connection can be reused
)

// WebhookConfig configures a Webhook. All fields are required. Several secrets sign at once while
// receivers change to a new one.
type WebhookConfig struct {
	URL     string
	Secrets []toksta.SigningSecret
	Now     func() time.Time
}

// Webhook sends events to a URL of the vendor, signed according to Standard Webhooks. The URL comes
// from the operator's configuration and may be in a private network. Webhook follows no redirect
// and uses no proxy.
type Webhook struct {
	config WebhookConfig
	client *http.Client
}

// NewWebhook returns a webhook. It opens no connection.
func NewWebhook(c WebhookConfig) *Webhook {
	return &Webhook{c, &http.Client{
		Timeout:       responseTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: maxResponse,
			MaxConnsPerHost:        maxConcurrent,
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

// Send implements [Sender]. Any 2xx acknowledges the event; 410 ends its delivery.
func (w *Webhook) Send(ctx context.Context, e store.Event) (string, error) {
	body, err := json.Marshal(message{e.Kind, e.At.UTC(), e.Data})
	if err != nil {
		return "", fmt.Errorf("encode the event: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("create the request: %w", err)
	}
	w.sign(r.Header, e.ID, body)
	start := time.Now()
	response, err := w.client.Do(r)
	if err != nil {
		return "", sanitize(err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxResponse) // only the status matters
	status := strings.TrimSpace(fmt.Sprintf("responded %d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	switch {
	case response.StatusCode/100 == 2:
		return fmt.Sprintf("%s in %d ms", status, time.Since(start).Milliseconds()), nil
	case response.StatusCode == http.StatusGone:
		return "", fmt.Errorf("%s: %w", status, ErrGone)
	default:
		return "", &RetryAfterError{errors.New(status), w.retryAfter(response.Header.Get("Retry-After"))}
	}
}

// sign sets the id of the event, the time of the attempt, and one signature for each secret.
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

// retryAfter parses seconds or a date. It returns 0 for any other value.
func (w *Webhook) retryAfter(field string) time.Duration {
	if seconds, err := strconv.ParseInt(field, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(field); err == nil {
		return at.Sub(w.config.Now())
	}
	return 0
}

// sanitize removes the method and the URL that net/http adds to an error, and text that the
// receiver sent in place of a valid response, which may contain our own signature.
func sanitize(err error) error {
	wrapped, ok := errors.AsType[*url.Error](err)
	switch {
	case !ok:
		return err
	case wrapped.Timeout():
		return errors.New("no response before the timeout")
	case strings.Contains(wrapped.Err.Error(), `"`) || strings.Contains(wrapped.Err.Error(), "malformed"):
		return errors.New("the response is not HTTP")
	default:
		return wrapped.Err
	}
}
