package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// requestTimeout limits one request and its response.
const requestTimeout = 30 * time.Second

// contentType is the media type of the batched mode of CloudEvents.
const contentType = "application/cloudevents-batch+json"

// newClient returns a client that follows no redirects and uses no proxy from the environment,
// because the credential is only for the receiver.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	return &http.Client{
		Transport:     transport,
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends one batch and returns nil if the receiver responded 2xx. Errors contain nothing of a
// response except its status.
func (e *Exporter) post(ctx context.Context, events []store.UsageEvent) error {
	body, err := json.Marshal(e.cloudEvents(events))
	if err != nil {
		return fmt.Errorf("encode usage: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("create the export request: %w", err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "toksta")
	if e.Authorization != "" {
		r.Header.Set("Authorization", e.Authorization)
	}
	response, err := e.client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // drops the method and the URL
		}
		// The text that net/http quotes may be our own credential, echoed by the receiver.
		if strings.Contains(err.Error(), `"`) || strings.Contains(err.Error(), "malformed") {
			err = errors.New("the response is not HTTP")
		}
		return fmt.Errorf("send usage to the receiver: %w", err)
	}
	defer response.Body.Close()
	// After the body is read, the connection can be reused.
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver responded %d %s to %d events", response.StatusCode, http.StatusText(response.StatusCode), len(events))
	}
	return nil
}
