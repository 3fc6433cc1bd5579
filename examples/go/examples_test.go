// Package examples_test runs the example programs against the real server.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/toksta/toksta/sdk/client"
)

// start starts a program, which ends with the test.
func start(t *testing.T, path string, arguments, environ []string) {
	t.Helper()
	var output bytes.Buffer
	cmd := exec.Command(path, arguments...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(path), &output)
		}
	})
}

// build builds packages of the module in dir into the directory out. The tag leaves out a
// part of Gin that takes long to compile.
func build(t *testing.T, dir, out string, packages ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"build", "-tags=nomsgpack", "-o", out + "/"}, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
}

// freeAddress returns a loopback address with a port that is free at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually calls done every few milliseconds until it returns true, for at most 20 s.
func eventually(t *testing.T, message string, done func() bool) {
	t.Helper()
	deadline, again := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal(message)
		}
	}
}

// startServer starts Toksta with its default routes and returns its socket.
func startServer(t *testing.T, binaries string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "toksta") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	build(t, "../..", binaries, "./cmd/toksta")
	start(t, filepath.Join(binaries, "toksta"), []string{"serve"}, []string{"TOKSTA_DATA=" + dir, "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0"})
	socket := filepath.Join(dir, "toksta.sock")
	eventually(t, "Toksta does not serve", func() bool {
		_, err := client.New(socket).Health(t.Context())
		return err == nil
	})
	return socket
}

// get sends a GET with a key and returns the status and the decoded body.
func get(t *testing.T, url, key string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Errorf("%s: %q is not JSON: %v", url, body, err)
	}
	return res.StatusCode, decoded
}

// Guarantee: each example, as it is printed, serves only a caller with a valid key: without
// a key, with a revoked key and on an unknown path it responds as the gateway does.
func TestExamples(t *testing.T) {
	binaries := t.TempDir()
	build(t, ".", binaries, "./...")
	socket := startServer(t, binaries)
	api := client.New(socket)
	account, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Examples", Plan: "API_ENTERPRISE"})
	if err != nil {
		t.Fatal(err)
	}
	id := account.Account.ID
	for _, name := range []string{"nethttp", "chi", "gin", "echo", "connect"} {
		key, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: id, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		address := freeAddress(t)
		start(t, filepath.Join(binaries, name), []string{"-toksta", socket, "-listen", address}, nil)
		eventually(t, name+" does not serve", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		url := "http://" + address
		call := func(secret string) (int, string) {
			status, body := get(t, url+"/v1/creators/7", secret)
			got, _ := body["account"].(string)
			return status, got
		}
		if name == "connect" {
			call = func(secret string) (int, string) { return callConnect(t, url, secret) }
			if status, got := callConnect(t, url, key.Secret, connect.WithGRPC()); status != 200 || got != string(id) {
				t.Errorf("gRPC: with a key %d, account %q", status, got)
			}
			if status, _ := callConnect(t, url, "", connect.WithGRPC()); status != 401 {
				t.Errorf("gRPC: without a key %d", status)
			}
		}
		if status, got := call(key.Secret); status != 200 || got != string(id) {
			t.Errorf("%s: with a key %d, account %q", name, status, got)
		}
		if status, got := call(""); status != 401 || got != "" {
			t.Errorf("%s: without a key %d, account %q", name, status, got)
		}
		if status, body := get(t, url+"/v1/unknown", key.Secret); status != 404 || body["success"] != false {
			t.Errorf("%s: on an unknown path %d %v", name, status, body)
		}
		if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: key.Key.ID}); err != nil {
			t.Fatal(err)
		}
		if status, got := call(key.Secret); status != 401 || got != "" {
			t.Errorf("%s: with a revoked key %d, account %q", name, status, got)
		}
	}
}

// callConnect calls the procedure of the example connect over HTTP/2 without TLS. It returns
// 401 for the code unauthenticated, and the account of the response.
func callConnect(t *testing.T, url, key string, options ...connect.ClientOption) (int, string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	c := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](
		&http.Client{Transport: transport}, url+"/creators.v1.CreatorService/GetCreator", options...)
	request := connect.NewRequest(wrapperspb.String("7"))
	if key != "" {
		request.Header().Set("Authorization", "Bearer "+key)
	}
	response, err := c.CallUnary(context.WithoutCancel(t.Context()), request)
	switch {
	case err == nil:
		return http.StatusOK, response.Msg.GetValue()
	case connect.CodeOf(err) == connect.CodeUnauthenticated:
		return http.StatusUnauthorized, ""
	}
	t.Error(err)
	return 0, strings.TrimSpace(err.Error())
}
