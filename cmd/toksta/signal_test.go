package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A server keeps running after its terminal has closed and the reader of its log
// has ended.
func TestServeOutlivesTerminalAndLogReader(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "toksta") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "toksta")); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), filepath.Join(dir, "toksta"), "serve")
	server.Env = append(os.Environ(), "TOKSTA_DATA="+dir, "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0")
	logs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	for lines := bufio.NewScanner(logs); url == "" && lines.Scan(); {
		var line struct{ Msg, Listener, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" && line.Listener == "public" {
			url = "http://" + line.Address
		}
	}
	if err := logs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each writes a log record
		res, err := http.Get(url + "/health")
		if err != nil {
			t.Fatalf("the server ended: %v", err)
		}
		res.Body.Close()
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// Only the commands that serve ignore the signals, whatever flags precede them.
func TestIsServer(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]bool{
		"serve": true, "demo": true, "demo-upstream --listen 127.0.0.1:0": true,
		"--config toksta.yaml serve": true, "-o json --bom serve": true, "--socket=s demo": true,
		"": false, "--config serve": false, "accounts create serve": false, "keys create demo demo": false, "serves": false,
	} {
		if got := isServer(strings.Fields(args)); got != want {
			t.Errorf("%q: %v, want %v", args, got, want)
		}
	}
}
