package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/config"
)

// certificate serves a key pair from two files and reads them again when
// either changes, so that a renewed certificate needs no restart. A pair that
// cannot be read is logged once and the old one stays in use: a renewal caught
// half-written must not end service.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	pair              atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held while the files are read
	seen    [2]fileMark
	checked time.Time
	failing bool
}

// fileMark tells two versions of a file apart.
type fileMark struct {
	modified time.Time
	size     int64
}

// recheck is how long a handshake trusts the files not to have changed.
const recheck = time.Second

// loadCertificate reads the pair once, so that a wrong path refuses to start.
func loadCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: files.Cert, keyFile: files.Key, log: log}
	if err := c.reload(time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// config returns the TLS settings of a listener with this certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// get is called for each handshake. One in recheck looks at the files; the
// others never wait for a disk.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		c.refresh(time.Now())
		c.mu.Unlock()
	}
	return c.pair.Load(), nil
}

// refresh reloads when it is time to, and says when that begins to fail. The
// caller holds mu.
func (c *certificate) refresh(now time.Time) {
	if now.Sub(c.checked) < recheck {
		return
	}
	err := c.reload(now)
	if err != nil && !c.failing {
		c.log.Error("the TLS certificate changed and cannot be read; the old one stays in use", "error", err)
	}
	c.failing = err != nil
}

// reload reads the files when they differ from what was seen. The caller
// holds mu or is alone.
func (c *certificate) reload(now time.Time) error {
	c.checked = now
	seen, err := marks(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if c.pair.Load() != nil && seen == c.seen {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate %s and its key: %w", c.certFile, err)
	}
	c.pair.Store(&pair)
	c.seen = seen
	return nil
}

// marks are compared, never interpreted: any difference is a reason to read.
func marks(files ...string) (out [2]fileMark, err error) {
	for i, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return out, fmt.Errorf("read the TLS files: %w", err)
		}
		out[i] = fileMark{info.ModTime(), info.Size()}
	}
	return out, nil
}
