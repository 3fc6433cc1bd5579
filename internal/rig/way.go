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

// The ways.
const (
	byGateway way = "gateway"
	byVerify  way = "verify API"
	byForward way = "forward auth"

	byOperator way = "operator API"  // of uses of operator keys, by customers of each way
	byPages    way = "account pages" // of actions of members
)

// access holds the addresses of a node for customers.
type access struct {
	url      string // of the public listener
	operator string // of the operator API, as client.New takes it
	forward  string // of the listener of forward auth; "": none
}

// ways returns the ways of a cluster. Each way has about the same number of customers. The rig does
// not know the forward auth of an external cluster.
func (k *cluster) ways() []way {
	if len(k.config.Members) > 0 {
		return []way{byGateway, byVerify}
	}
	return []way{byGateway, byVerify, byForward}
}

// request returns the request of a use of a secret.
func (u *customer) request(ctx context.Context, s *secret) (*http.Request, error) {
	switch {
	case s.kind == operatorSecret:
		return u.post(ctx, "whoami", s.text, struct{}{})
	case u.way == byVerify:
		return u.post(ctx, "verify", u.operatorKey, client.VerifyRequest{Key: s.text, Method: http.MethodGet, Target: u.path})
	}
	to := u.access.url + u.path
	if u.way == byForward {
		to = u.access.forward + "/forwarded"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.text)
	if u.way == byForward { // as Traefik and Caddy ask
		r.Header.Set("X-Forwarded-Method", http.MethodGet)
		r.Header.Set("X-Forwarded-Uri", u.path)
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
	}
	return r, nil
}

// post returns a request to the operator API with an operator key.
func (u *customer) post(ctx context.Context, operation, key string, request any) (*http.Request, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	base := u.access.operator
	if !isURL(base) {
		base = "http://toksta"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+client.PathPrefix+operation, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	return r, nil
}

// status returns the status that the customer's program gives to its client: that of the
// response or, of the verify API, that of the decision. An invalid operator key is rejected with
// 429 instead of 401 after many attempts; a valid one never is.
func (u *customer) status(response *http.Response, s *secret) int {
	if s.kind == operatorSecret && response.StatusCode == http.StatusTooManyRequests {
		return http.StatusUnauthorized
	}
	if s.kind == operatorSecret || u.way != byVerify || response.StatusCode != http.StatusOK {
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
