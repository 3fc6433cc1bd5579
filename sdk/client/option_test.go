package client

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
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
