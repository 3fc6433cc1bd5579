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

// requestTimeout bounds one request with its answer.
const requestTimeout = 30 * time.Second

// contentType is the batched mode of CloudEvents over HTTP.
const contentType = "application/cloudevents-batch+json"

// client follows no redirects and takes no proxy from the environment: the
// credential is for the one receiver.
func client() *http.Client {
	direct := http.DefaultTransport.(*http.Transport).Clone()
	direct.Proxy = nil
	return &http.Client{
		Transport:     direct,
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends one batch and returns once the receiver has taken it: any status
// of success. Nothing of what the receiver says but its status is repeated.
func (e *Exporter) post(ctx context.Context, events []store.UsageEvent) error {
	body, err := json.Marshal(e.cloudEvents(events))
	if err != nil {
		return fmt.Errorf("encode usage: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request with usage: %w", err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "toksta")
	if e.Authorization != "" {
		r.Header.Set("Authorization", e.Authorization)
	}
	answer, err := e.client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address
		}
		// What net/http quotes may be our own credential, sent back.
		if strings.Contains(err.Error(), `"`) || strings.Contains(err.Error(), "malformed") {
			err = errors.New("its answer is no HTTP")
		}
		return fmt.Errorf("reach the receiver of usage: %w", err)
	}
	defer answer.Body.Close()
	// Read to the end, a connection serves the next batch as well.
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %d %s to %d events", answer.StatusCode, http.StatusText(answer.StatusCode), len(events))
	}
	return nil
}
