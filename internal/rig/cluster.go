package rig

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// cluster holds the nodes of a run and, unless the operator runs the cluster, their
// database, links and upstream.
type cluster struct {
	plan
	nodes  []*node
	key    string                                       // operator key of the role verify; "" in an external cluster
	load   func(ctx context.Context, at int, to access) // sends uses to one node until ctx ends
	fail   context.CancelCauseFunc
	group  sync.WaitGroup
	closed []func()
	twins  int
}

// external returns a cluster that the operator runs.
func external(c Config) *cluster {
	k := &cluster{plan: plan{config: c}}
	for _, m := range c.Members {
		n := &node{name: m.URL, access: access{url: m.URL, operator: m.Operator}, api: client.New(m.Operator)}
		n.api.Operator = "rig"
		k.nodes = append(k.nodes, n)
	}
	return k
}

// local starts a database and nodes on this machine, which end with ctx, and returns
// when all nodes are ready.
func local(ctx context.Context, c Config) (k *cluster, err error) {
	k = &cluster{}
	begun := k // a return replaces k
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			cancel()
			begun.close()
		}
	}()
	folder, err := os.MkdirTemp("", "toksta-rig-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	k.closed = append(k.closed, func() { os.RemoveAll(folder) })
	// The database's own user needs to search the directory.
	if err := os.Chmod(folder, 0o711); err != nil {
		return nil, fmt.Errorf("change the mode of the directory: %w", err)
	}
	database, err := newDatabase(folder)
	if err != nil {
		return nil, err
	}
	k.closed = append(k.closed, database.close)
	k.plan = plan{config: c, folder: folder, database: database, backend: newBackend(), networkError: tryNetwork()}
	k.closed = append(k.closed, func() { k.backend.server.Close() })
	for i := range c.Nodes {
		n, err := newNode(k.plan, fmt.Sprint("node-", i), fmt.Sprint("node-", i))
		if err != nil {
			return nil, err
		}
		k.closed = append(k.closed, n.close)
		k.nodes = append(k.nodes, n)
		k.start(ctx, n)
	}
	for _, n := range k.nodes {
		if !n.await(ctx) {
			return nil, fmt.Errorf("%s is not ready: %s", n.name, n.readLog())
		}
	}
	made, err := k.nodes[0].api.CreateOperatorKey(ctx, client.CreateOperatorKeyRequest{Name: "rig", Roles: []toksta.Role{toksta.RoleVerify}})
	if err != nil {
		return nil, fmt.Errorf("create an operator key: %w", err)
	}
	k.key = made.Secret
	for _, n := range k.nodes {
		n.readyStarts = n.countStarts()
	}
	return k, nil
}

// start runs a node and its link until ctx ends.
func (k *cluster) start(ctx context.Context, n *node) {
	k.group.Go(func() { n.link.serve(ctx) })
	k.group.Go(func() {
		if err := n.run(ctx); err != nil && k.fail != nil {
			k.fail(err)
		}
	})
}

// startTwin starts a second process with the name of n and sends requests to it,
// until stop is called.
func (k *cluster) startTwin(ctx context.Context, n *node) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	k.twins++
	twin, err := newNode(k.plan, n.name, fmt.Sprint("twin-", k.twins))
	if err != nil {
		cancel()
		return nil, err
	}
	var on sync.WaitGroup
	on.Go(func() { twin.link.serve(context.WithoutCancel(ctx)) })
	on.Go(func() { _ = twin.run(ctx) })
	twin.await(ctx)
	on.Go(func() { k.load(ctx, len(k.nodes)+k.twins, twin.access) })
	return func() {
		twin.signal(syscall.SIGKILL)
		cancel()
		twin.link.listener.Close()
		twin.link.reset()
		on.Wait()
		twin.close()
	}, nil
}

// close releases the resources of a local cluster in reverse order, after the nodes
// have ended.
func (k *cluster) close() {
	k.group.Wait()
	for i := len(k.closed) - 1; i >= 0; i-- {
		k.closed[i]()
	}
}

// readyWithin limits the time until a node is ready.
const readyWithin = time.Minute

// await waits until the node is ready, and returns false if it does not become ready
// in time.
func (n *node) await(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	probe := (&customer{}).newHTTP()
	defer probe.CloseIdleConnections()
	for ctx.Err() == nil {
		if response, err := probe.Get(n.access.url + "/ready"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return true
			}
		}
		sleep(ctx, 20*time.Millisecond)
	}
	return false
}

// readLog returns the log of the node so far, or "" if it cannot be read.
func (n *node) readLog() string {
	log, _ := os.ReadFile(n.log)
	return string(log)
}
