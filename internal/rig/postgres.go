package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// ErrNoPostgres says that PostgreSQL's server is not installed here.
var ErrNoPostgres = errors.New("PostgreSQL's binaries are missing in /usr/lib/postgresql: apt-get install -y postgresql")

// postgres is a private server with its data in one folder.
type postgres struct {
	bin, folder, port string
	attr              *syscall.SysProcAttr
	process           *exec.Cmd
	drained           chan struct{}
}

// newPostgres makes a place for a server in folder, which must not exist yet.
// As root it belongs to the user postgres, since PostgreSQL refuses root.
func newPostgres(folder string) (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, ErrNoPostgres
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: filepath.Dir(slices.Max(found)), folder: folder, port: port}
	return p, p.own()
}

// initialize makes an empty server.
func (p *postgres) initialize() error {
	initdb := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// own makes the folder and gives it to the user that the server runs as. The
// server does not outlive the rig.
func (p *postgres) own() error {
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		return fmt.Errorf("make the database's folder: %w", err)
	}
	p.attr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("find the user to run PostgreSQL as: %w", err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	p.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(p.folder, int(uid), int(gid)); err != nil {
		return fmt.Errorf("hand over the database's folder: %w", err)
	}
	return nil
}

// data is the folder of the tables.
func (p *postgres) data() string { return filepath.Join(p.folder, "data") }

// command is one of PostgreSQL's programs, run as its user.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), args...)
	c.Dir, c.SysProcAttr, c.Env = p.folder, p.attr, append(c.Environ(), "LC_MESSAGES=C")
	return c
}

// start runs the server until stop, and returns once it takes connections.
func (p *postgres) start() error {
	c := p.command("postgres", "-D", p.data(), "-k", p.folder, "-p", p.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "dynamic_shared_memory_type=mmap")
	log, err := c.StderrPipe()
	if err != nil {
		return fmt.Errorf("read PostgreSQL's log: %w", err)
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	p.process, p.drained = c, make(chan struct{})
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept") {
			go func() {
				defer close(p.drained)
				_, _ = io.Copy(io.Discard, log)
			}()
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL did not start: %w\n%s", c.Wait(), said.String())
}

// stop ends the server: SIGINT as an operator does, SIGQUIT as a crash does,
// SIGKILL as a machine that loses power does. It returns when the last of the
// server's processes is gone.
func (p *postgres) stop(by syscall.Signal) {
	if p.process == nil {
		return
	}
	id := p.lock()
	_ = p.process.Process.Signal(by)
	<-p.drained
	_ = p.process.Wait()
	if by == syscall.SIGKILL {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
	p.process = nil
}

// lock is the piece of shared memory by which the server knows that it runs
// once. It outlives the server when that is killed.
func (p *postgres) lock() int {
	own, _ := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	lines := strings.Split(string(own), "\n")
	if len(lines) < 7 {
		return -1
	}
	var key, id int
	if n, _ := fmt.Sscan(lines[6], &key, &id); n != 2 {
		return -1
	}
	return id
}

// address is where the server listens, on this machine alone.
func (p *postgres) address() string { return net.JoinHostPort("127.0.0.1", p.port) }

// databaseURL is the database as seen through address.
func databaseURL(address string) string {
	return "postgres://postgres@" + address + "/postgres?sslmode=disable"
}

// exec runs one statement on a connection of its own and returns how many rows
// it read or wrote.
func (p *postgres) exec(ctx context.Context, statement string) (rows int64, err error) {
	conn, err := pgx.Connect(ctx, databaseURL(p.address()))
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tag, err := conn.Exec(ctx, statement)
	if err != nil {
		return 0, fmt.Errorf("run %q: %w", statement, err)
	}
	return tag.RowsAffected(), nil
}

// freePort returns a port that nobody listens on now, below those that the
// kernel gives to outgoing connections: it must be free again for a process
// that comes back.
func freePort() (string, error) {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		switch {
		case err == nil:
			return port, l.Close()
		case !errors.Is(err, syscall.EADDRINUSE):
			return "", fmt.Errorf("find a free port: %w", err)
		}
	}
}
