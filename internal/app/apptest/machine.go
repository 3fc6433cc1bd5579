package apptest

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// Require skips t if a command is not installed.
func Require(t *testing.T, command string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skip(err)
	}
}

// FreeAddress returns a loopback address with a port that is free at the moment.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Eventually calls done every few milliseconds until it returns true. After 20 s it
// fails t with the message.
func Eventually(t *testing.T, message string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal(message)
		}
	}
}
