package apptest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Response is a response with its whole body, and the request that it belongs to.
type Response struct {
	Status  int
	Header  http.Header
	Body    []byte
	Request *http.Request
}

// ErrorBody is the envelope of an error response.
type ErrorBody struct {
	Success bool `json:"success"`
	Error   struct {
		Code    toksta.Code    `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	} `json:"error"`
	Meta struct {
		RequestID string `json:"request_id"`
		TraceID   string `json:"trace_id"`
	} `json:"meta"`
}

// Send sends a request, given as "METHOD target", with a secret unless it is "".
func Send(t *testing.T, url, call, secret string) Response {
	t.Helper()
	method, target, _ := strings.Cut(call, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return Do(t, r)
}

// Do sends r with the default client. A request without a response fails t.
func Do(t *testing.T, r *http.Request) Response {
	t.Helper()
	got, err := Exchange(http.DefaultClient, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Exchange sends r with c and reads the whole body of the response.
func Exchange(c *http.Client, r *http.Request) (Response, error) {
	res, err := c.Do(r)
	if err != nil {
		return Response{Request: r}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return Response{res.StatusCode, res.Header, body, r}, err
}

// Data decodes the data of the envelope. Any status but 200 fails t.
func (r Response) Data(t *testing.T, into any) {
	t.Helper()
	envelope := struct{ Data any }{into}
	if err := json.Unmarshal(r.Body, &envelope); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s: %v", r.Request.URL, r.Status, r.Body, err)
	}
}

// Error decodes the envelope of an error. Fields that ErrorBody lacks fail t.
func (r Response) Error(t *testing.T) (e ErrorBody) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("%d %q is not the envelope: %v", r.Status, r.Body, err)
	}
	return e
}

// Charged returns the credits that a call was charged, as the response's header
// states them.
func Charged(h http.Header) int64 {
	n, _ := strconv.ParseInt(h.Get("X-Toksta-Credit-Cost"), 10, 64)
	return n
}

// Status sends one free call with secret and returns the status of its response, or
// 0 without a response. It may be called from any goroutine.
func Status(url, secret string) int {
	r, err := http.NewRequest(http.MethodGet, url+"/v1/creators/7", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	got, err := Exchange(http.DefaultClient, r)
	if err != nil {
		return 0
	}
	return got.Status
}
