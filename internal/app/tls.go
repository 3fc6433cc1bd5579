package app

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate serves a key pair from two files and reads them again when
// either changes, so that a renewed certificate needs no restart. A pair that
// cannot be read is reported by the handshake's log line once and the old one
// stays in use: a renewal caught half-written must not end service.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	pair    *tls.Certificate
	seen    [2]fileMark
	checked time.Time
}

// fileMark tells two versions of a file apart.
type fileMark struct {
	modified time.Time
	size     int64
}

// recheck is how long a handshake trusts the files not to have changed.
const recheck = time.Second

// loadCertificate reads the pair once, so that a wrong path refuses to start.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.reload(time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// config returns the TLS settings of a listener with this certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// get is called for each handshake; it looks at the files at most once in
// recheck.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) >= recheck {
		// The old pair outlives a failed read, see the type's comment.
		_ = c.reload(now)
	}
	return c.pair, nil
}

// reload reads the files when they differ from what was seen. The caller
// holds mu or is alone.
func (c *certificate) reload(now time.Time) error {
	c.checked = now
	seen, err := marks(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if c.pair != nil && seen == c.seen {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate %s and its key: %w", c.certFile, err)
	}
	c.pair, c.seen = &pair, seen
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
