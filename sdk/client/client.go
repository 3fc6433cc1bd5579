package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/toksta/toksta/sdk/toksta"
)

// HeaderOperator is the header field with the name of the operator, for the
// audit trail. It counts on the Unix socket only.
const HeaderOperator = "X-Toksta-Operator"

// PathPrefix is the path of the operator API; the path of an operation is, for
// example, PathPrefix + "keys/revoke".
const PathPrefix = "/operator/v1/"

// maxResponse is the largest number of bytes that the client reads of one
// response.
const maxResponse = 64 << 20

// Client calls the operator API. It is safe for concurrent use.
type Client struct {
	// Operator is the name under which changes are recorded on the Unix socket. With an
	// operator key, they are recorded under the name of the key.
	Operator string
	// Wait bounds each call. The zero value sets no bound.
	Wait Wait

	base   string
	http   *http.Client
	header http.Header
	key    toksta.Hidden
}

// New returns a client of the server at address: the path of its Unix socket,
// which needs no key, or the URL of its operator listener, which needs the key of
// [WithKey]. Use https, except on the same machine: plain HTTP shows the key to
// everyone on the path. New opens no connection. Without options, only the context of a
// call bounds its time. The client follows no redirect.
func New(address string, options ...Option) *Client {
	c := &Client{base: strings.TrimSuffix(address, "/"), http: &http.Client{CheckRedirect: rejectRedirect}, header: http.Header{}}
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		dialer := net.Dialer{Timeout: 5 * time.Second}
		c.base = "http://toksta"
		c.http.Transport = &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", address)
			},
		}
	}
	for _, set := range options {
		set(c)
	}
	return c
}

// rejectRedirect ends a call at a redirect. The API has none, and its target, which could
// be another server or use plain HTTP, must not get the key.
func rejectRedirect(r *http.Request, _ []*http.Request) error {
	return fmt.Errorf("the server redirects to %s, which is not followed; set the address of the server itself", r.URL.Redacted())
}

// call posts one request and decodes its response.
func call[Response any](ctx context.Context, c *Client, endpoint string, request any) (Response, error) {
	var response Response
	resp, err := c.post(ctx, endpoint, request)
	if err != nil {
		return response, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return response, fmt.Errorf("read the response of %s: %w", endpoint, err)
	}
	return response, decode(data, resp.StatusCode, &response)
}

// post sends one request. The caller closes the body of the response.
func (c *Client) post(ctx context.Context, endpoint string, request any) (*http.Response, error) {
	if !isText(reflect.ValueOf(request)) {
		return nil, &toksta.Error{Code: toksta.CodeValidation, Message: "The request has text that is not valid UTF-8."}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request to %s: %w", endpoint, err)
	}
	resp, err := c.Wait.bounded(ctx, endpoint, func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+PathPrefix+endpoint, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		maps.Copy(r.Header, c.header)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(HeaderOperator, c.Operator)
		c.authorize(r)
		return c.http.Do(r)
	})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", endpoint, err)
	}
	return resp, nil
}

// authorize adds the operator key to a request.
func (c *Client) authorize(r *http.Request) {
	if key := c.key.Reveal(); key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
}

// isText reports whether all strings of a request are UTF-8. encoding/json
// would replace invalid bytes, so that the server would store other text than
// the caller's.
func isText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer:
		return v.IsNil() || isText(v.Elem())
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if !isText(i.Key()) || !isText(i.Value()) {
				return false
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if !isText(v.Index(i)) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !isText(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

// envelope is the form of every response.
type envelope struct {
	Success bool            `json:"success"`
	Data    json.RawMessage `json:"data"`
	Error   *struct {
		Code    toksta.Code    `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	} `json:"error"`
	Meta struct {
		RequestID string `json:"request_id"`
	} `json:"meta"`
}

func decode(data []byte, status int, response any) error {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("the response with status %d is not from Toksta, check the address and its https or http: %w", status, err)
	}
	if e.Success && status == http.StatusOK {
		if err := json.Unmarshal(e.Data, response); err != nil {
			return fmt.Errorf("decode the response: %w", err)
		}
		return nil
	}
	if e.Error == nil {
		return fmt.Errorf("the response with status %d has neither data nor an error", status)
	}
	failure := &toksta.Error{Code: e.Error.Code, Message: e.Error.Message, Details: e.Error.Details}
	if reason, ok := e.Error.Details["reason"].(string); ok {
		failure.Reason = toksta.Reason(reason)
	}
	if hint, ok := e.Error.Details["hint"].(string); ok {
		failure.Hint = hint
	}
	if failure.Code == toksta.CodeInternal {
		failure.Hint = "search the server's log for " + e.Meta.RequestID
	}
	return failure
}
