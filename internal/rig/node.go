package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/toksta/toksta/client"
)

// node is one process of the program under test, started again whenever it
// ends.
type node struct {
	name   string
	url    string // of the public listener
	api    *client.Client
	link   *link // nil: the operator's own cluster
	env    []string
	binary string
	log    string // file

	faulty  sync.Mutex  // held by the one fault that is on
	spared  atomic.Bool // owners leave it alone
	down    sync.Mutex  // held by a fault that keeps it from starting
	mu      sync.Mutex
	process *os.Process
	ended   chan struct{} // closed when process has
}

// plan is what the nodes of a cluster have in common.
type plan struct {
	config   Config
	folder   string
	database *postgres
	upstream string
}

// newNode makes a node with a folder, a port and a link of its own; nothing
// runs yet. A twin has the name of another node and nothing else of it.
func newNode(p plan, name, folder string) (*node, error) {
	data := filepath.Join(p.folder, folder)
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a node's folder: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	l, err := newLink(p.database.address())
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	n := &node{
		name: name, url: "http://" + address, link: l, binary: p.config.Binary,
		api: client.New(filepath.Join(data, "toksta.sock")), log: filepath.Join(data, "log"),
	}
	n.api.Operator = "rig"
	n.env = []string{
		"TOKSTA_DATA=" + data, "TOKSTA_LISTEN_PUBLIC=" + address, "TOKSTA_NODE_NAME=" + name,
		"TOKSTA_NODE_LEASE=" + p.config.Lease.String(), "TOKSTA_STORE_URL=" + p.database.url(l.address()),
		"TOKSTA_UPSTREAMS_BACKEND_URL=" + p.upstream, "TOKSTA_KEYS_MAX_LIVE=1000",
		"TOKSTA_METER_FLUSH_INTERVAL=1s", "TOKSTA_LOGS_LEVEL=warn",
	}
	return n, nil
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
		c := exec.Command(n.binary, "serve")
		c.Env, c.Stderr = append(c.Environ(), n.env...), log
		c.Dir = filepath.Dir(n.log)
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		n.down.Lock()
		err := c.Start()
		n.down.Unlock()
		if err != nil {
			return fmt.Errorf("start a node: %w", err)
		}
		ended := make(chan struct{})
		n.mu.Lock()
		n.process, n.ended = c.Process, ended
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
