package app_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// program is the real binary with a data directory of its own, in a process
// that can be killed and started again.
type program struct {
	t       *testing.T
	path    string   // of the binary
	through []string // command that runs it in its place; none: it is run itself
	env     []string
	socket  string
	api     *client.Client
	process *exec.Cmd
	url     string // of the public listener, once up
}

// build makes the binary and a place for its data; it does not start it.
func build(t *testing.T) *program {
	t.Helper()
	// Sockets have short paths, which t.TempDir is not sure to be.
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	upstream := httptest.NewServer(demo.Upstream())
	t.Cleanup(upstream.Close)
	p := &program{t: t, path: filepath.Join(dir, "toksta"), socket: filepath.Join(dir, "toksta.sock")}
	p.env = append(os.Environ(), "TOKSTA_DATA="+dir, "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0", "TOKSTA_UPSTREAMS_BACKEND_URL="+upstream.URL)
	if out, err := exec.Command("go", "build", "-o", p.path, "../../cmd/toksta").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	p.api = client.New(p.socket)
	t.Cleanup(p.kill)
	return p
}

// up starts the program and returns once it answers requests, with how long
// that took.
func (p *program) up() time.Duration {
	p.t.Helper()
	began := time.Now()
	command := append(slices.Clone(p.through), p.path, "serve")
	p.process = exec.Command(command[0], command[1:]...)
	p.process.Env = p.env
	logs, err := p.process.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(logs)
	for p.url = ""; p.url == ""; {
		if !lines.Scan() {
			p.t.Fatalf("the program ended: %v", p.process.Wait())
		}
		var line struct{ Msg, Listener, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" && line.Listener == "public" {
			p.url = "http://" + line.Address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	res, err := http.Get(p.url + "/ready")
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("the program is not ready: %s", res.Status)
	}
	return time.Since(began)
}

// kill ends the process at once, as a power cut would.
func (p *program) kill() { _ = p.end(syscall.SIGKILL) }

// stop ends the process as an operator does, and wants it to end well.
func (p *program) stop() {
	p.t.Helper()
	if err := p.end(syscall.SIGTERM); err != nil {
		p.t.Errorf("the program did not stop cleanly: %v", err)
	}
}

func (p *program) end(by syscall.Signal) error {
	if p.process == nil {
		return nil
	}
	_ = p.process.Process.Signal(by)
	err := p.process.Wait()
	p.process = nil
	return err
}

// cli runs a command of the program and decodes the JSON that it prints.
func (p *program) cli(answer any, args ...string) {
	p.t.Helper()
	out := p.output(append(args, "--output=json")...)
	if err := json.Unmarshal(out, answer); err != nil {
		p.t.Fatalf("toksta %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

// output runs a command of the program and returns what it prints.
func (p *program) output(args ...string) []byte {
	p.t.Helper()
	cmd := exec.Command(p.path, args...)
	cmd.Env = p.env
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("toksta %s: %v\n%s%s", strings.Join(args, " "), err, out, errors.String())
	}
	return out
}

// installed skips a test for want of a program, or fails it where none may be
// skipped.
func installed(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv(pgtest.Require) == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// account makes an account whose keys nothing but themselves holds back.
func account(t *testing.T, api *client.Client, name string) toksta.AccountID {
	t.Helper()
	made, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: name, Plan: "API_ENTERPRISE"})
	if err != nil {
		t.Fatal(err)
	}
	entitle(t, api, made.Account.ID, "rate_limit_per_minute=1000000")
	return made.Account.ID
}

// entitle sets "name=value".
func entitle(t *testing.T, api *client.Client, id toksta.AccountID, entitlement string) {
	t.Helper()
	name, value, _ := strings.Cut(entitlement, "=")
	_, err := api.SetEntitlement(t.Context(), client.SetEntitlementRequest{
		AccountRef: client.AccountRef{Account: id}, Name: name, Value: value,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// status sends one free call with a secret and returns how it was answered, 0
// when nobody did.
func status(url, secret string) int {
	r, err := http.NewRequest(http.MethodGet, url+"/v1/creators/7", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
