package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Guarantee: docs/integrations/operator-api.md leads from its configuration to the list of
// accounts on another machine, with its own commands.
func TestOperatorPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "the page is not tested: curl is missing")
	}
	server, laptop := buildDirectory(t), buildDirectory(t)
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	writeTLS(t, server)
	local := strings.NewReplacer(
		"0.0.0.0:8443", address, "keys.example.com:8443", "127.0.0.1:"+port, "/etc/toksta/", server+"/",
	)
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(server, name), []byte(local.Replace(content)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("toksta.yaml", "data: "+server+"/data\n"+pageBlock(t, "config", "yaml"))
	shell := func(dir, script string) string {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", local.Replace(script))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "XDG_CONFIG_HOME="+dir+"/home",
			"SSL_CERT_FILE="+server+"/operator.pem", "CURL_CA_BUNDLE="+server+"/operator.pem", "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	startServer(t, server)
	shell(server, `toksta accounts create "On the server"`)
	shell(server, pageBlock(t, "server", "sh")+"cp operator-key "+laptop+"\ncp operator-key "+laptop+"/kept")
	if out := shell(laptop, pageBlock(t, "laptop", "sh")); !strings.Contains(out, "On the server") || strings.Contains(out, "tk_op_") {
		t.Errorf("the laptop shows:\n%s", out)
	}
	out := shell(laptop, "mv kept operator-key\n"+pageBlock(t, "curl", "sh"))
	if !strings.Contains(out, `{"success":true,"data":{"accounts":[{"id":"acct_`) {
		t.Errorf("curl shows:\n%s", out)
	}
	if out := shell(server, "toksta doctor || true"); !strings.Contains(out, "listen.operator.tls expires 2") {
		t.Errorf("doctor does not check the certificate:\n%s", out)
	}
}

// pageBlock returns the block of the page after the marker with a name.
func pageBlock(t *testing.T, name, language string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "integrations", "operator-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- test:"+name+" -->\n```"+language+"\n")
	block, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatalf("the page has no block %s", name)
	}
	return block
}

// writeTLS writes a certificate for 127.0.0.1 and its key to operator.pem and operator.key.
func writeTLS(t *testing.T, dir string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "operator.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(dir, "operator.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// startServer starts the program with the configuration in a directory until t ends, and
// waits until it listens.
func startServer(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "bin", "toksta"), "serve")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0", "TOKSTA_CONFIG=", "TOKSTA_SOCKET=")
	logs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	if lines := linesUntil(logs, `"listener":"private"`); !strings.Contains(lines[len(lines)-1], "private") {
		t.Fatalf("the server does not listen: %s", lines)
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
}
