package rig

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/toksta/toksta/client"
)

// cluster is what a run is about: nodes, and unless it is the operator's own,
// their database, links and back end.
type cluster struct {
	plan
	nodes  []*node
	load   func(ctx context.Context, at int, url string) // uses on one address until ctx ends
	fail   context.CancelCauseFunc
	group  sync.WaitGroup
	closed []func()
	twins  int
}

// theirs is a cluster that somebody else runs.
func theirs(c Config) *cluster {
	k := &cluster{plan: plan{config: c}}
	for _, m := range c.Members {
		n := &node{name: m.URL, url: m.URL, api: client.New(m.Operator)}
		n.api.Operator = "rig"
		k.nodes = append(k.nodes, n)
	}
	return k
}

// ours starts a database and nodes on this machine, which end with ctx, and
// returns once all are ready.
func ours(ctx context.Context, c Config) (k *cluster, err error) {
	k = &cluster{}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	folder, err := os.MkdirTemp("", "toksta-rig-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	k.closed = append(k.closed, func() { os.RemoveAll(folder) })
	// The database's own user must be able to walk through.
	if err := os.Chmod(folder, 0o711); err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	// Everything is released in the opposite order of its making.
	database, err := newDatabase(folder)
	if err != nil {
		return nil, err
	}
	k.closed = append(k.closed, database.close)
	k.plan = plan{config: c, folder: folder, database: database, backEnd: newBackEnd(), noNetworks: tryNetwork()}
	k.closed = append(k.closed, func() { k.backEnd.server.Close() })
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
			return nil, fmt.Errorf("%s is not ready: %s", n.name, n.said())
		}
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

// startTwin runs a second process with n's name, under load, until stop.
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
	on.Go(func() { k.load(ctx, len(k.nodes)+k.twins, twin.url) })
	return func() {
		twin.signal(syscall.SIGKILL)
		cancel()
		twin.link.listener.Close()
		twin.link.reset()
		on.Wait()
		twin.close()
	}, nil
}

// close releases what ours made, last first, once the nodes have ended.
func (k *cluster) close() {
	k.group.Wait()
	for i := len(k.closed) - 1; i >= 0; i-- {
		k.closed[i]()
	}
}

// readyWithin bounds the wait for a node to come up.
const readyWithin = time.Minute

// await returns when the node is ready, false when it does not get there.
func (n *node) await(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	probe := newHTTP()
	defer probe.CloseIdleConnections()
	for ctx.Err() == nil {
		if answer, err := probe.Get(n.url + "/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
		rest(ctx, 20*time.Millisecond)
	}
	return false
}

// said is the node's own log.
func (n *node) said() string {
	log, _ := os.ReadFile(n.log)
	return string(log)
}
