package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/internal/telemetry"
)

// node is a whole server on free ports, with the demo's back end behind it.
type node struct {
	app  *app.App
	url  string
	data string
	logs *lockedBuffer
}

// start runs a node until the test ends; alter changes its configuration.
func start(t *testing.T, alter ...func(*config.Config)) *node {
	t.Helper()
	upstream := httptest.NewServer(demo.Upstream())
	t.Cleanup(upstream.Close)
	n := &node{data: t.TempDir(), logs: &lockedBuffer{}}
	c := testConfig(n.data, upstream.URL)
	for _, f := range alter {
		f(&c)
	}
	a, err := app.New(t.Context(), c, app.Options{Version: "test", Log: telemetry.NewLog(n.logs, slog.LevelInfo)})
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
	n.app, n.url = a, "http://"+a.Addr("public")
	return n
}

// testConfig is the shipped configuration on free ports, in a directory of
// the test.
func testConfig(data, upstream string) config.Config {
	c := config.Default()
	c.Data = data
	c.Store.URL = "sqlite:" + filepath.Join(data, "toksta.db")
	c.Meter.Dir = filepath.Join(data, "meter")
	c.Listen.Public = "127.0.0.1:0"
	c.Listen.Private = filepath.Join(data, "toksta.sock")
	for name, u := range c.Upstreams {
		u.URL = upstream
		c.Upstreams[name] = u
	}
	return c
}

// lockedBuffer is a log that a test can read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Bytes returns a copy of what was written.
func (l *lockedBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
