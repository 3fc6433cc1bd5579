package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
)

// Guarantee: a renewed certificate is served without a restart, and a certificate that
// is still being written never ends service.
func TestCertificateReloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)

	var log bytes.Buffer
	c, err := loadCertificate(config.TLS{Cert: cert, Key: key}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if got := serial(t, c); got != 1 {
		t.Fatalf("serial = %d, want 1", got)
	}

	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.checked = time.Time{}
		if got := serial(t, c); got != 1 {
			t.Fatalf("after a broken write: serial = %d, want the old one", got)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("a broken write is logged %d times, want once: %s", lines, &log)
	}

	writePair(t, cert, key, 2)
	c.checked = time.Time{}
	if got := serial(t, c); got != 2 {
		t.Fatalf("after the renewal: serial = %d, want 2", got)
	}
}

// Guarantee: while one handshake reads the files, others proceed, so that a slow disk
// does not block clients.
func TestCertificateDoesNotWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	c, err := loadCertificate(config.TLS{Cert: cert, Key: key}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := serial(t, c); got != 1 {
		t.Errorf("serial = %d, want 1", got)
	}
}

// Guarantee: a wrong path is an error at the start, not in each handshake.
func TestCertificateMissing(t *testing.T) {
	t.Parallel()
	if _, err := loadCertificate(config.TLS{Cert: filepath.Join(t.TempDir(), "no.pem"), Key: "no.key"}, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a missing certificate was accepted")
	}
}

func serial(t *testing.T, c *certificate) int64 {
	t.Helper()
	pair, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func writePair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
