package mail

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// Guarantee: the error about a mail server that accepts a connection and stays silent says so, and is
// temporary.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	sender, err := New(Config{Server: silent.Addr().String(), TLS: NoTLS, From: "keys@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = sender.Check(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), silent.Addr().String()+" did not respond in time") || errors.Is(err, ErrRejected) {
		t.Errorf("the error is %v", err)
	}
}
