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

// certificate is a key pair that is read again when one of its two files changes, so
// that a renewed certificate needs no restart. If the new pair cannot be read, which
// can be because it is still being written, this is logged once and the old pair stays
// in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	pair              atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held while the files are read
	current [2]fileVersion
	checked time.Time
	failing bool
}

// fileVersion differs between two versions of a file.
type fileVersion struct {
	modified time.Time
	size     int64
}

// recheckInterval is the shortest time between two checks of the files.
const recheckInterval = time.Second

// loadCertificate reads the pair, so that a wrong path is an error at the start.
func loadCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: files.Cert, keyFile: files.Key, log: log}
	if err := c.reload(time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// config returns a TLS configuration that serves the certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// get returns the pair for a handshake. At most one handshake in recheckInterval reads
// the files; the others never wait for the disk.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		c.refresh(time.Now())
		c.mu.Unlock()
	}
	return c.pair.Load(), nil
}

// refresh reads the files if recheckInterval has passed, and logs the first of several
// failures. The caller holds mu.
func (c *certificate) refresh(now time.Time) {
	if now.Sub(c.checked) < recheckInterval {
		return
	}
	err := c.reload(now)
	if err != nil && !c.failing {
		c.log.Error("the changed TLS certificate cannot be read; the old one stays in use", "error", err)
	}
	c.failing = err != nil
}

// reload reads the files if their versions have changed. The caller holds mu, or no
// other goroutine has the certificate yet.
func (c *certificate) reload(now time.Time) error {
	c.checked = now
	found, err := versions(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if c.pair.Load() != nil && found == c.current {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate %s and its key: %w", c.certFile, err)
	}
	c.pair.Store(&pair)
	c.current = found
	return nil
}

// versions returns the modification times and sizes of the certificate and the key
// file, to detect that they were replaced.
func versions(certFile, keyFile string) (out [2]fileVersion, err error) {
	for i, f := range []string{certFile, keyFile} {
		info, err := os.Stat(f)
		if err != nil {
			return out, fmt.Errorf("read the TLS files: %w", err)
		}
		out[i] = fileVersion{info.ModTime(), info.Size()}
	}
	return out, nil
}
