package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
)

// Guarantee: a command to a server that hangs reports its wait, and returns after
// the timeout with an error that names the next step.
func TestCommandGivesUp(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "toksta") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })

	var messages bytes.Buffer
	c := &cli{process: config.Process{Operator: "olga"}, in: strings.NewReader(""), out: &bytes.Buffer{}, err: &messages}
	start := time.Now()
	code := c.run(t.Context(), []string{"--socket", socket, "--timeout", "200ms", "keys", "revoke", "key_01JZZZZZZZZZZZZZZZZZZZZZZZ", "--yes"})
	if took := time.Since(start); code != exitError || took > 20*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	for _, want := range []string{"Waiting for the server", "did not respond", "within 200ms", "toksta audit"} {
		if !strings.Contains(messages.String(), want) {
			t.Errorf("the messages lack %q:\n%s", want, messages.String())
		}
	}
}
