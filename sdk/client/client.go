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

// HeaderOperator names who acts, for the audit trail.
const HeaderOperator = "X-Toksta-Operator"

// PathPrefix is where the operator API answers: PathPrefix + "keys/revoke".
const PathPrefix = "/operator/v1/"

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 64 << 20

// Client calls the operator API. It is safe for concurrent use.
type Client struct {
	// Operator is the name that changes are recorded under.
	Operator string
	// Wait bounds every call. The zero value does not.
	Wait Wait

	base   string
	http   *http.Client
	header http.Header
}

// New returns a client of the server at address: the path of its Unix socket, or
// an http or https URL if a proxy with access control stands in front of the
// socket. It opens no connection. Without options a call has no timeout of its
// own: bound it by its context.
func New(address string, options ...Option) *Client {
	c := &Client{base: strings.TrimSuffix(address, "/"), http: &http.Client{}, header: http.Header{}}
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

// call posts one request and decodes its answer.
func call[Answer any](ctx context.Context, c *Client, endpoint string, request any) (Answer, error) {
	var answer Answer
	resp, err := c.post(ctx, endpoint, request)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer, fmt.Errorf("read the answer of %s: %w", endpoint, err)
	}
	return answer, decode(data, resp.StatusCode, &answer)
}

// post sends one request; the caller closes the answer's body.
func (c *Client) post(ctx context.Context, endpoint string, request any) (*http.Response, error) {
	if !isText(reflect.ValueOf(request)) {
		return nil, &toksta.Error{Code: toksta.CodeValidation, Message: "The request holds text that is not valid UTF-8."}
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
		return c.http.Do(r)
	})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", endpoint, err)
	}
	return resp, nil
}

// isText reports whether all strings of a request are UTF-8. encoding/json replaces the bytes that are not, so that other
// text than the caller's would be stored.
func isText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer:
		return v.IsNil() || isText(v.Elem())
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

// envelope is what every answer comes in.
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

func decode(data []byte, status int, answer any) error {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("the answer with status %d is not Toksta's: %w", status, err)
	}
	if e.Success {
		if err := json.Unmarshal(e.Data, answer); err != nil {
			return fmt.Errorf("decode the answer: %w", err)
		}
		return nil
	}
	if e.Error == nil {
		return fmt.Errorf("the answer with status %d holds neither data nor an error", status)
	}
	failure := &toksta.Error{Code: e.Error.Code, Message: e.Error.Message, Details: e.Error.Details}
	if reason, ok := e.Error.Details["reason"].(string); ok {
		failure.Reason = toksta.Reason(reason)
	}
	if hint, ok := e.Error.Details["hint"].(string); ok {
		failure.Hint = hint
	}
	if failure.Code == toksta.CodeInternal {
		failure.Hint = "look in the server's log for " + e.Meta.RequestID
	}
	return failure
}
