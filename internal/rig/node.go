package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/toksta/toksta/client"
)

// node is one process of the program under test, started again whenever it
// ends.
type node struct {
	name    string
	url     string // of the public listener
	api     *client.Client
	link    *link    // nil: the operator's own cluster
	network *network // nil: this machine's
	env     []string
	binary  string
	log     string // file

	faulty  sync.Mutex  // held by the one fault that is on
	spared  atomic.Bool // owners leave it alone
	down    sync.Mutex  // held by a fault that keeps it from starting
	mu      sync.Mutex
	process *os.Process
	ended   chan struct{} // closed when process has
	starts  int
}

// plan is what the nodes of a cluster have in common.
type plan struct {
	config   Config
	folder   string
	database *database
	backEnd  backEnd

	noNetworks error // why nodes have no networks of their own; nil: they have
}

// insidePort is where a node listens that has a network of its own.
const insidePort = "8080"

// newNode makes a node with a folder, a port and a link of its own; nothing
// runs yet. A twin has the name of another node and nothing else of it.
func newNode(p plan, name, folder string) (*node, error) {
	data := filepath.Join(p.folder, folder)
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a node's folder: %w", err)
	}
	n := &node{
		name: name, binary: p.config.Binary,
		api: client.New(filepath.Join(data, "toksta.sock")), log: filepath.Join(data, "log"),
	}
	n.api.Operator = "rig"
	host, address, err := n.place(p)
	if err != nil {
		return nil, err
	}
	n.url = "http://" + address
	if n.link, err = newLink(host, p.database.address); err != nil {
		return nil, err
	}
	upstream, err := p.backEnd.listen(host)
	if err != nil {
		return nil, err
	}
	n.env = []string{
		"TOKSTA_DATA=" + data, "TOKSTA_LISTEN_PUBLIC=" + address, "TOKSTA_NODE_NAME=" + name,
		"TOKSTA_NODE_LEASE=" + p.config.Lease.String(), "TOKSTA_STORE_URL=" + databaseURL(n.link.address()),
		"TOKSTA_UPSTREAMS_BACKEND_URL=" + upstream, "TOKSTA_KEYS_MAX_LIVE=1000",
		"TOKSTA_METER_FLUSH_INTERVAL=1s", "TOKSTA_LOGS_LEVEL=warn", "TOKSTA_SESSIONS_INSECURE_COOKIES=true",
	}
	return n, nil
}

// place finds where the node meets the rig and where it listens: in a network
// of its own if there can be one.
func (n *node) place(p plan) (host, address string, err error) {
	if p.noNetworks == nil {
		if n.network, err = newNetwork(); err != nil {
			return "", "", err
		}
		return n.network.host.String(), net.JoinHostPort(n.network.node.String(), insidePort), nil
	}
	port, err := freePort()
	return "127.0.0.1", net.JoinHostPort("127.0.0.1", port), err
}

// command starts the program where the node lives.
func (n *node) command() *exec.Cmd {
	c := exec.Command(n.binary, "serve")
	if n.network != nil {
		c = exec.Command("nsenter", "-t", n.network.pid(), "-n", n.binary, "serve")
	}
	c.Env, c.Dir = append(c.Environ(), n.env...), filepath.Dir(n.log)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// close gives back what newNode took. The process has ended.
func (n *node) close() {
	n.link.listener.Close()
	if n.network != nil {
		n.network.close()
	}
}

// run keeps the process up until ctx ends, however often it is killed or
// gives up because the database is away, then ends it.
func (n *node) run(ctx context.Context) error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open a node's log: %w", err)
	}
	defer log.Close()
	for ctx.Err() == nil {
		c := n.command()
		c.Stderr = log
		n.down.Lock()
		err := c.Start()
		n.down.Unlock()
		if err != nil {
			return fmt.Errorf("start a node: %w", err)
		}
		ended := make(chan struct{})
		n.mu.Lock()
		n.process, n.ended = c.Process, ended
		n.starts++
		n.mu.Unlock()
		stop := context.AfterFunc(ctx, n.end)
		_ = c.Wait()
		stop()
		close(ended)
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// unexplained is how a node's log shows an answer that the rig cannot explain.
var unexplained = regexp.MustCompile(`"method":"GET".*"status":50[0-24-9]`)

// failures are the log's records of such answers.
func (n *node) failures() (found []string) {
	for line := range strings.Lines(n.said()) {
		if unexplained.MatchString(line) {
			found = append(found, n.name+": "+strings.TrimSpace(line))
		}
	}
	return found
}

// signal sends sig to the process, if there is one.
func (n *node) signal(sig syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		_ = n.process.Signal(sig)
	}
}

// end asks the process to leave, and makes it when it does not.
func (n *node) end() {
	n.mu.Lock()
	process, ended := n.process, n.ended
	n.mu.Unlock()
	_ = process.Signal(syscall.SIGCONT)
	_ = process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = process.Kill()
	}
}
