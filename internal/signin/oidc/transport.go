package oidc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxResponse bounds the body of a response of a provider, in bytes. The largest key sets have a few
// ten thousand.
const maxResponse = 1 << 20

// newClient returns a client that follows no redirect and bounds each response in time and size. Like
// the client of webhooks it uses no proxy.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxConnsPerHost:        16,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		}},
	}
}

// bounded is a RoundTripper that bounds bodies. It makes an error of a GET without success, so that no
// error text contains a body.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet && response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, statusError(response.StatusCode)
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: maxResponse}
	return response, nil
}

// statusError is the error of a response without success.
type statusError int

// Error implements error.
func (e statusError) Error() string { return fmt.Sprintf("the response has the status %d", int(e)) }

// errTooLarge is the error of a body with more than maxResponse bytes.
var errTooLarge = errors.New("the response is too large")

// limitedBody is a body that fails after a number of bytes. A truncated body would be mistaken for a
// complete one.
type limitedBody struct {
	io.ReadCloser
	left int
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// Requests for the keys of a provider are limited to keyBurst at once and one more in keyInterval. Tokens
// with unknown keys, which every program can send to the back channel, must not cause more.
const (
	keyBurst    = 2
	keyInterval = 5 * time.Second
)

// spaced is a RoundTripper that fails at once if the requests exceed the limit.
type spaced struct {
	next http.RoundTripper
	now  func() time.Time

	mu     sync.Mutex
	used   time.Duration // of keyBurst intervals
	last   time.Time
	failed bool // the last request got no usable response
}

// RoundTrip implements [http.RoundTripper].
func (s *spaced) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := s.now()
	s.used, s.last = max(s.used-now.Sub(s.last), 0), now
	early := s.used > (keyBurst-1)*keyInterval
	if !early {
		s.used += keyInterval
	}
	s.mu.Unlock()
	if early {
		return nil, errors.New("the keys were requested a moment ago")
	}
	response, err := s.next.RoundTrip(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err != nil
	return response, err
}

// areMissing reports whether the keys could not be read when they were last requested.
func (s *spaced) areMissing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// withQuery returns an address with further query fields, given as names and values.
func withQuery(address string, fields ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // isSafe has parsed it
	}
	query := u.Query()
	for i := 0; i+1 < len(fields); i += 2 {
		query.Set(fields[i], fields[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}
