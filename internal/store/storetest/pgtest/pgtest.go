// Package pgtest runs a private PostgreSQL server for tests, from the binaries that Debian
// installs. It does not touch other servers: the data and the only socket are in a folder
// of its own, which is deleted with the test.
package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Require names the environment variable that makes a test fail, instead of being skipped,
// if no server is installed.
const Require = "TOKSTA_TEST_REQUIRE"

// Server is a running server. It ends with the test that started it.
type Server struct {
	folder    string
	command   exec.Cmd // copied for each start
	process   *exec.Cmd
	drained   chan struct{} // closed when its last process has ended
	databases atomic.Int64
}

// Start runs a new server, with fsync on. If the binaries are not installed it skips tb, or
// fails it if the variable Require is "1". If the test runs as root, the server runs as the
// user postgres, because PostgreSQL does not run as root.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := newServer(tb)
	// With a linguistic default order, a test notices a missing order by bytes.
	s.make(tb, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
	s.Resume(tb)
	return s
}

// Standby runs a read-only server that follows s until it is promoted with
// pg_promote().
func (s *Server) Standby(tb testing.TB) *Server {
	tb.Helper()
	heir := newServer(tb)
	heir.make(tb, "pg_basebackup", "-h", s.folder, "-U", "postgres", "-D", heir.data(), "-R", "-c", "fast", "--no-sync")
	heir.Resume(tb)
	return heir
}

// newServer returns a server without data.
func newServer(tb testing.TB) *Server {
	tb.Helper()
	bin := binaries(tb)
	// Not TempDir: the server's user must have access to the path.
	folder, err := os.MkdirTemp("", "toksta-pg-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(folder) })
	s := &Server{folder: folder}
	s.command = exec.Cmd{
		Path: filepath.Join(bin, "postgres"), Dir: folder, SysProcAttr: owner(tb, folder),
		// Recovery by syncfs: opening a thousand files takes seconds.
		Args: []string{
			filepath.Join(bin, "postgres"), "-D", s.data(), "-k", folder, "-p", "5432", "-c", "listen_addresses=",
			"-c", "max_connections=200", "-c", "recovery_init_sync_method=syncfs",
		},
		Env: append(os.Environ(), "LC_MESSAGES=C"),
	}
	tb.Cleanup(func() { s.Stop() })
	return s
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// make runs program, which creates the server's data directory.
func (s *Server) make(tb testing.TB, program string, args ...string) {
	tb.Helper()
	cmd := exec.Command(filepath.Join(filepath.Dir(s.command.Path), program), args...)
	cmd.SysProcAttr, cmd.Dir = s.command.SysProcAttr, s.folder
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// binaries returns the directory of the newest installed server.
func binaries(tb testing.TB) string {
	tb.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		const missing = "PostgreSQL's binaries are missing: nothing was tested on it. Run: apt-get install -y postgresql"
		if os.Getenv(Require) == "1" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	slices.SortFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(found[len(found)-1])
}

func major(initdb string) int {
	n, _ := strconv.Atoi(strings.Split(initdb, "/")[4])
	return n
}

// owner gives folder to the user of the server, and returns the attributes of the
// server's processes. They make the kernel end the server if the test is killed.
func owner(tb testing.TB, folder string) *syscall.SysProcAttr {
	tb.Helper()
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(folder, uid, gid); err != nil {
		tb.Fatal(err)
	}
	return &syscall.SysProcAttr{
		Pdeathsig:  syscall.SIGINT,
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
}

// Own gives a folder to the user of the server.
func (s *Server) Own(tb testing.TB, folder string) {
	tb.Helper()
	if c := s.command.SysProcAttr.Credential; c != nil {
		if err := os.Chown(folder, int(c.Uid), int(c.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
}

// Stop stops the server with its connections, as an operator would. A second Stop does
// nothing. It must not run concurrently with Resume.
func (s *Server) Stop() {
	if s.process != nil {
		_ = s.process.Process.Signal(syscall.SIGINT) // fast shutdown
		s.wait()
	}
}

// Kill kills all processes of a running server and returns when they have ended, as after
// a crash. It must not run concurrently with Resume.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	id := s.process.Process.Pid
	// A stopped server starts no processes, and their ids are not reused.
	if err := syscall.Kill(id, syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	// Each process has a group of its own.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", id))
	if err != nil {
		tb.Fatal(err)
	}
	for _, child := range strings.Fields(string(children)) {
		n, _ := strconv.Atoi(child)
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
	_ = s.process.Process.Kill()
	s.wait()
}

// wait returns when no process uses the shared memory of the server.
func (s *Server) wait() {
	<-s.drained
	_ = s.process.Wait()
	s.process = nil
}

// Resume starts the server with the existing data and waits until it is ready.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	postgres := &exec.Cmd{
		Path: s.command.Path, Dir: s.command.Dir, SysProcAttr: s.command.SysProcAttr, Args: s.command.Args, Env: s.command.Env,
	}
	log, err := postgres.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := postgres.Start(); err != nil {
		tb.Fatal(err)
	}
	drained := make(chan struct{})
	s.process, s.drained = postgres, drained
	var said strings.Builder
	lines := bufio.NewScanner(log)
	ready := false
	for !ready && lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		ready = strings.Contains(lines.Text(), "ready to accept ") // connections, or a standby's read-only ones
	}
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, log)
	}()
	if !ready {
		tb.Fatalf("PostgreSQL did not start:\n%s", said.String())
	}
}

// NewDatabase creates an empty database and returns its URL.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	return s.CopyDatabase(tb, "template1")
}

// CopyDatabase creates a copy of a database that has no connections, and returns the
// copy's URL.
func (s *Server) CopyDatabase(tb testing.TB, of string) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	s.Exec(tb, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+of)
	return s.URL(name)
}

// Exec runs one statement as the superuser, on a connection of its own, and
// returns the number of rows that it read or wrote.
func (s *Server) Exec(tb testing.TB, database, statement string) int64 {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(ctx)
	tag, err := conn.Exec(ctx, statement)
	if err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
	return tag.RowsAffected()
}

// URL returns the URL of a database.
func (s *Server) URL(database string) string {
	q := url.Values{"host": {s.folder}, "port": {"5432"}, "user": {"postgres"}}
	return "postgres:///" + database + "?" + q.Encode()
}
