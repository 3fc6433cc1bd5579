package apptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/client"
)

// Node is a server in the process of the test, with the demo's back end as upstream.
type Node struct {
	App  *app.App
	URL  string // of the public listener
	Data string // directory
	Log  *Log
}

// Start runs a node until t ends. Each alter changes its configuration beforehand.
func Start(t *testing.T, alter ...func(*config.Config)) *Node {
	t.Helper()
	return start(t, app.Options{Version: "test"}, alter)
}

// StartDemo runs a node whose mails are shown at /demo/mail, as those of the demo.
func StartDemo(t *testing.T, alter ...func(*config.Config)) *Node {
	t.Helper()
	return start(t, app.Options{Version: "test", Demo: true}, alter)
}

func start(t *testing.T, o app.Options, alter []func(*config.Config)) *Node {
	t.Helper()
	upstream := httptest.NewServer(demo.Upstream())
	t.Cleanup(upstream.Close)
	n := &Node{Data: t.TempDir()}
	c := Config(n.Data, upstream.URL)
	sqlitetest.Create(t, databaseFile(n.Data))
	for _, f := range alter {
		f(&c)
	}
	n.Log = newLog(int(c.Logs.Buffer))
	o.Log = n.Log.log
	a, err := app.New(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the node stopped with: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the node did not stop")
		}
	})
	n.App, n.URL = a, "http://"+a.Addr("public")
	return n
}

// StartCluster runs three nodes on one database until t ends.
func StartCluster(t *testing.T, database string, alter ...func(*config.Config)) (nodes []*Node) {
	t.Helper()
	for i := range 3 {
		own := func(c *config.Config) { c.Store.URL, c.Node.Name = database, "node "+strconv.Itoa(i) }
		nodes = append(nodes, Start(t, append(alter, own)...))
	}
	return nodes
}

// Config returns the default configuration on free ports, with its files in the
// directory data and each upstream at the URL upstream.
func Config(data, upstream string) config.Config {
	c := config.Default()
	c.Data = data
	c.Store.URL = "sqlite:" + databaseFile(data)
	c.Meter.Dir = filepath.Join(data, "meter")
	c.Listen.Public = "127.0.0.1:0"
	c.Listen.Private = filepath.Join(data, "toksta.sock")
	for name, u := range c.Upstreams {
		u.URL = upstream
		c.Upstreams[name] = u
	}
	return c
}

// databaseFile returns the path of the default database in the directory data.
func databaseFile(data string) string { return filepath.Join(data, "toksta.db") }

// Socket returns the path of the operator socket.
func (n *Node) Socket() string { return filepath.Join(n.Data, "toksta.sock") }

// Operator returns a client of the operator socket.
func (n *Node) Operator() *client.Client { return client.New(n.Socket()) }

// Output collects text that a test can read while a process writes it.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// Bytes returns a copy of the text so far.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.b.Bytes())
}

// Log is the log of a node.
type Log struct {
	out Output
	log *telemetry.Log
}

func newLog(buffer int) *Log {
	l := &Log{}
	l.log = telemetry.NewLog(telemetry.LogConfig{Out: &l.out, Buffer: buffer})
	return l
}

// Bytes returns a copy of the log with all lines that were logged before the call.
// The node writes them in the background and in order, so Bytes waits for a line of
// its own.
func (l *Log) Bytes() []byte {
	marker := []byte(rand.Text())
	l.log.Info(string(marker))
	for {
		if b := l.out.Bytes(); bytes.Contains(b, marker) {
			return b
		}
		<-time.After(time.Millisecond)
	}
}
