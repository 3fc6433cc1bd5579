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

	"github.com/toksta/toksta/sdk/client"
)

// node is one process of the program under test. It is started again whenever it
// ends.
type node struct {
	name    string
	access  access
	api     *client.Client
	link    *link    // nil in an external cluster
	network *network // nil: the network of this machine
	env     []string
	config  string // file
	binary  string
	log     string // file

	faulty  sync.Mutex  // held by the active fault
	avoided atomic.Bool // owners use other nodes
	down    sync.Mutex  // held by a fault that prevents its start
	mu      sync.Mutex
	process *os.Process
	ended   chan struct{} // closed when process has ended
	starts  int

	readyStarts int // starts when all nodes were ready for the first time
}

// plan holds the settings that the nodes of a cluster share.
type plan struct {
	config   Config
	folder   string
	database *database
	backend  backend

	networkError error // why nodes have no network namespaces; nil: they have
}

// The ports of a node with a network of its own: of the public listener, of the operator API,
// of forward auth, and the range of all for iptables.
const (
	publicPort   = "8080"
	operatorPort = "8081"
	forwardPort  = "8082"
	insidePorts  = publicPort + ":" + forwardPort
)

// newNode prepares a node with a directory, a port and a link of its own, without
// starting it. A twin shares only the name of another node.
func newNode(p plan, name, folder string) (*node, error) {
	data := filepath.Join(p.folder, folder)
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a node's directory: %w", err)
	}
	n := &node{
		name: name, binary: p.config.Binary,
		api: client.New(filepath.Join(data, "toksta.sock")), log: filepath.Join(data, "log"),
	}
	n.api.Operator = "rig"
	host, err := n.place(p)
	if err != nil {
		return nil, err
	}
	if n.link, err = newLink(host, p.database.address); err != nil {
		return nil, err
	}
	upstream, err := p.backend.listen(host)
	if err != nil {
		return nil, err
	}
	if err := n.configure(data, host); err != nil {
		return nil, err
	}
	n.env = []string{
		"TOKSTA_DATA=" + data, "TOKSTA_NODE_NAME=" + name,
		"TOKSTA_LISTEN_PUBLIC=" + strings.TrimPrefix(n.access.url, "http://"),
		"TOKSTA_NODE_LEASE=" + p.config.Lease.String(), "TOKSTA_STORE_URL=" + databaseURL(n.link.address()),
		"TOKSTA_UPSTREAMS_BACKEND_URL=" + upstream, "TOKSTA_KEYS_MAX_LIVE=1000",
		"TOKSTA_METER_FLUSH_INTERVAL=1s", "TOKSTA_LOGS_LEVEL=warn", "TOKSTA_SESSIONS_INSECURE_COOKIES=true",
	}
	return n, nil
}

// configure writes the settings that are lists, which a variable cannot hold.
func (n *node) configure(folder, host string) error {
	n.config = filepath.Join(folder, "toksta.yaml")
	text := fmt.Sprintf("listen: {forward_auth: %q, operator: {address: %q, proxies: [%s/32]}}\nforward_auth: {proxies: [%s/32]}\n",
		strings.TrimPrefix(n.access.forward, "http://"), strings.TrimPrefix(n.access.operator, "http://"), host, host)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write a node's configuration: %w", err)
	}
	return nil
}

// place sets the addresses of the node and returns the host address for the rig's
// listeners. They are in a network of the node's own if this machine supports it.
func (n *node) place(p plan) (host string, err error) {
	address, ports := "127.0.0.1", [3]string{publicPort, operatorPort, forwardPort}
	host = address
	if p.networkError == nil {
		if n.network, err = newNetwork(); err != nil {
			return "", err
		}
		host, address = n.network.host.String(), n.network.node.String()
	} else {
		for i := range ports {
			if ports[i], err = freePort(); err != nil {
				return "", err
			}
		}
	}
	at := func(i int) string { return "http://" + net.JoinHostPort(address, ports[i]) }
	n.access = access{url: at(0), operator: at(1), forward: at(2)}
	return host, nil
}

// command returns the command that starts the program in the node's network.
func (n *node) command() *exec.Cmd {
	c := exec.Command(n.binary, "serve", "--config", n.config)
	if n.network != nil {
		c = exec.Command("nsenter", append([]string{"-t", n.network.pid(), "-n"}, c.Args...)...)
	}
	c.Env, c.Dir = append(c.Environ(), n.env...), filepath.Dir(n.log)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// close releases the resources of newNode after the process has ended.
func (n *node) close() {
	n.link.listener.Close()
	if n.network != nil {
		n.network.close()
	}
}

// run keeps the process running until ctx ends, although faults kill it and it may
// give up without its database. Then it ends the process.
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

// unexplained matches the log record of an unexpected response, and the reason why a
// process ended: the record of a node that stopped, or the last line of a process that
// could not start.
var unexplained = regexp.MustCompile(`"method":"(GET|POST)".*"status":50[0-24-9]|"msg":"stopped".*"error"|^[^{]`)

// failures returns the log records of unexpected responses and of processes that ended.
func (n *node) failures() (found []string) {
	for line := range strings.Lines(n.readLog()) {
		if unexplained.MatchString(line) {
			found = append(found, n.name+": "+strings.TrimSpace(line))
		}
	}
	return found
}

// countStarts returns the number of starts of the process so far.
func (n *node) countStarts() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.starts
}

// signal sends sig to the process, if there is one.
func (n *node) signal(sig syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		_ = n.process.Signal(sig)
	}
}

// end terminates the process, and kills it if it does not end.
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
