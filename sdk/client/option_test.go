package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a header field of the caller is sent with every request, over TLS
// as configured, and cannot replace the name of the operator.
func TestOptions(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c := New(server.URL, WithTLS(&tls.Config{RootCAs: roots}), WithHeader("Authorization", "Bearer proxy"), WithHeader(HeaderOperator, "forged"))
	c.Operator = "ops"
	if _, err := c.Key(t.Context(), KeyRef{}); err != nil {
		t.Fatal(err)
	}
	if got.Get("Authorization") != "Bearer proxy" || got.Get(HeaderOperator) != "ops" {
		t.Errorf("%v", got)
	}
	if _, err := New(server.URL).Key(t.Context(), KeyRef{}); err == nil {
		t.Error("an unknown certificate was trusted")
	}
	c = New("http://api.example", WithTransport(server.Client().Transport))
	if c.http.Transport != server.Client().Transport {
		t.Error("the transport was not used")
	}
}

// Guarantee: the key is sent with every request and replaces another Authorization. No
// formatter and no encoder shows it.
func TestWithKey(t *testing.T) {
	t.Parallel()
	const key = "tk_op_0123456789abcdef"
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header["Authorization"]
		_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
	}))
	defer server.Close()
	c := New(server.URL, WithHeader("Authorization", "Bearer proxy"), WithKey(key))
	if _, err := c.Key(t.Context(), KeyRef{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "Bearer "+key {
		t.Errorf("sent %q", got)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprint(*c)} {
		if strings.Contains(text, "0123456789abcdef") {
			t.Errorf("the key is printed: %s", text)
		}
	}
}

// Guarantee: the key never follows a redirect, neither to another server nor to plain HTTP.
func TestRedirectIsRejected(t *testing.T) {
	t.Parallel()
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		_, err := New(server.URL, WithKey("tk_op_1")).Key(t.Context(), KeyRef{})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL) || strings.Contains(err.Error(), "tk_op_1") {
			t.Errorf("%d: got %v", status, err)
		}
	}
	if reached {
		t.Error("the redirect was followed")
	}
}

// Guarantee: a server that does not respond delays the caller no longer than
// the timeout.
func TestWithTimeout(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	defer server.Close()
	defer close(held)
	if _, err := New(server.URL, WithTimeout(10*time.Millisecond)).Key(t.Context(), KeyRef{}); toksta.ErrorCode(err) != toksta.CodeUnavailable {
		t.Errorf("%v", err)
	}
}
