package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/toksta/toksta/sdk/client"
)

// way is a way by which customers send uses to a node.
type way string

// The ways. A cluster that the operator runs has no forward auth.
const (
	byGateway way = "gateway"
	byVerify  way = "verify API"

	byOperator way = "operator API" // of uses of operator keys, by customers of each way
)

// access holds the addresses of a node for customers.
type access struct {
	url      string // of the public listener
	operator string // of the operator API, as client.New takes it
}

// ways returns the ways of a cluster. Each has the same number of customers.
func (k *cluster) ways() []way { return []way{byGateway, byVerify} }

// request returns the request of a use of a secret.
func (u *customer) request(ctx context.Context, s *secret) (*http.Request, error) {
	text := s.text
	if s.operator {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.access.operator+client.PathPrefix+"whoami", strings.NewReader("{}"))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+text)
		}
		return r, err
	}
	if u.way == byGateway {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.access.url+u.path, nil)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+text)
		}
		return r, err
	}
	body, err := json.Marshal(client.VerifyRequest{Key: text, Method: http.MethodGet, Target: u.path})
	if err != nil {
		return nil, err
	}
	base := u.access.operator
	if !isURL(base) {
		base = "http://toksta"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+client.PathPrefix+"verify", bytes.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+u.operatorKey)
	}
	return r, err
}

// status returns the status that the customer's program gives to its client: that of the
// response or, of the verify API, that of the decision. An invalid operator key is rejected with
// 429 instead of 401 after many attempts; a valid one never is.
func (u *customer) status(response *http.Response, s *secret) int {
	if s.operator && response.StatusCode == http.StatusTooManyRequests {
		return http.StatusUnauthorized
	}
	if s.operator || u.way != byVerify || response.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	var decision struct {
		Data client.VerifyResponse `json:"data"`
	}
	switch err := json.NewDecoder(response.Body).Decode(&decision); {
	case err != nil:
		return 0
	case decision.Data.Admitted:
		return http.StatusOK
	default:
		return decision.Data.Response.Status
	}
}

// isURL reports whether the address of an operator API is a URL and not a socket.
func isURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasPrefix(u.Scheme, "http")
}

// newHTTP returns the client of a customer, which keeps one connection.
func (u *customer) newHTTP() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	if socket := u.access.operator; u.way == byVerify && !isURL(socket) {
		var d net.Dialer
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) }
	}
	return &http.Client{Timeout: requestTimeout, Transport: transport}
}
