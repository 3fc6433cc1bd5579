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

// ErrNoPostgres means that the PostgreSQL server is not installed.
var ErrNoPostgres = errors.New("PostgreSQL's binaries are missing in /usr/lib/postgresql: apt-get install -y postgresql")

// postgres is a private server with its data in one directory.
type postgres struct {
	bin, folder, port string
	attr              *syscall.SysProcAttr
	process           *exec.Cmd
	drained           chan struct{}
}

// newPostgres prepares a server in a directory that does not exist yet. If the rig
// runs as root, the directory belongs to the user postgres, because PostgreSQL does
// not run as root.
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
	return p, p.createFolder()
}

// initialize runs initdb.
func (p *postgres) initialize() error {
	initdb := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// createFolder creates the directory and gives it to the user of the server. It makes
// the kernel kill the server when the rig ends.
func (p *postgres) createFolder() error {
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		return fmt.Errorf("make the database's directory: %w", err)
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
		return fmt.Errorf("change the owner of the database's directory: %w", err)
	}
	return nil
}

// data returns the data directory.
func (p *postgres) data() string { return filepath.Join(p.folder, "data") }

// command returns a command that runs one of PostgreSQL's programs as its user.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), args...)
	c.Dir, c.SysProcAttr, c.Env = p.folder, p.attr, append(c.Environ(), "LC_MESSAGES=C")
	return c
}

// start starts the server and returns when it accepts connections.
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
	var output strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept") {
			go func() {
				defer close(p.drained)
				_, _ = io.Copy(io.Discard, log)
			}()
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL did not start: %w\n%s", c.Wait(), output.String())
}

// stop ends the server: by SIGINT for a shutdown, SIGQUIT for a crash, or SIGKILL
// for a power failure. It returns when all processes of the server have ended.
func (p *postgres) stop(by syscall.Signal) {
	if p.process == nil {
		return
	}
	id := p.sharedMemory()
	_ = p.process.Process.Signal(by)
	<-p.drained
	_ = p.process.Wait()
	if by == syscall.SIGKILL {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
	p.process = nil
}

// sharedMemory returns the id of the shared memory segment by which the server
// detects a second start. The segment remains after SIGKILL.
func (p *postgres) sharedMemory() int {
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

// address returns the address of the server on the loopback interface.
func (p *postgres) address() string { return net.JoinHostPort("127.0.0.1", p.port) }

// databaseURL returns the URL of the database at address.
func databaseURL(address string) string {
	return "postgres://postgres@" + address + "/postgres?sslmode=disable"
}

// exec runs one statement on a new connection and returns the number of rows read or
// written.
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

// freePort returns a free port below the range from which the kernel chooses ports
// of outgoing connections, because the port must be free again when a process
// restarts.
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
