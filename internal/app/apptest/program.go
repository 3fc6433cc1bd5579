package apptest

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
	"github.com/toksta/toksta/sdk/client"
)

// Program is the binary with a data directory of its own, in a process that a test
// can kill and start again.
type Program struct {
	Path    string   // of the binary
	Wrapper []string // command that runs the binary, if any
	Env     []string // settings beside the environment of the test
	Socket  string
	API     *client.Client
	URL     string    // of the public listener, after Start
	Process *exec.Cmd // nil while it does not run

	t testing.TB
}

// Build returns a program with a new data directory, which does not run yet. Its process
// is killed at the end of t.
func Build(t testing.TB) *Program {
	t.Helper()
	// The path of a socket must be short, which t.TempDir does not promise.
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	upstream := httptest.NewServer(demo.Upstream())
	t.Cleanup(upstream.Close)
	p := &Program{t: t, Path: Binary(t), Socket: filepath.Join(dir, "toksta.sock")}
	p.Env = []string{"TOKSTA_DATA=" + dir, "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0", "TOKSTA_UPSTREAMS_BACKEND_URL=" + upstream.URL}
	p.API = client.New(p.Socket)
	t.Cleanup(p.Kill)
	return p
}

// On makes the program a node of the cluster on the database at url, with a short
// lease.
func (p *Program) On(url string) *Program {
	p.Env = append(p.Env, "TOKSTA_STORE_URL="+url, "TOKSTA_NODE_NAME="+filepath.Base(p.Dir()), "TOKSTA_NODE_LEASE=1s")
	return p
}

// Dir returns the data directory.
func (p *Program) Dir() string { return filepath.Dir(p.Socket) }

// Start starts the program, waits until it is ready and returns how long that took.
func (p *Program) Start() time.Duration {
	p.t.Helper()
	began := time.Now()
	command := append(slices.Clone(p.Wrapper), p.Path, "serve")
	p.Process = p.Command(command[0], command[1:]...)
	logs, err := p.Process.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.Process.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(logs)
	for p.URL = ""; p.URL == ""; {
		if !lines.Scan() {
			p.t.Fatalf("the program ended: %v", p.Process.Wait())
		}
		var line struct{ Msg, Listener, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" && line.Listener == "public" {
			p.URL = "http://" + line.Address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	res, err := http.Get(p.URL + "/ready")
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("the program is not ready: %s", res.Status)
	}
	return time.Since(began)
}

// Kill kills the process with SIGKILL, if it runs.
func (p *Program) Kill() { _ = p.End(syscall.SIGKILL) }

// Stop ends the process with SIGTERM. An exit code other than 0 is an error of the test.
func (p *Program) Stop() {
	p.t.Helper()
	if err := p.End(syscall.SIGTERM); err != nil {
		p.t.Errorf("the program did not stop cleanly: %v", err)
	}
}

// End sends a signal to the process, if it runs, and waits until the process ends.
func (p *Program) End(signal syscall.Signal) error {
	if p.Process == nil {
		return nil
	}
	_ = p.Process.Process.Signal(signal)
	err := p.Process.Wait()
	p.Process = nil
	return err
}

// Command returns a command with the settings of the program in its environment.
func (p *Program) Command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(c.Environ(), p.Env...)
	return c
}

// CLI runs a command of the program and decodes the JSON that it prints.
func (p *Program) CLI(into any, args ...string) {
	p.t.Helper()
	out := p.Output(append(args, "--output=json")...)
	if err := json.Unmarshal(out, into); err != nil {
		p.t.Fatalf("toksta %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

// Output runs a command of the program and returns its standard output.
func (p *Program) Output(args ...string) []byte {
	p.t.Helper()
	var errors strings.Builder
	cmd := p.Command(p.Path, args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("toksta %s: %v\n%s%s", strings.Join(args, " "), err, out, errors.String())
	}
	return out
}
