package config

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An invalid address is reported by config check, not by the first call after a
// deployment.
func TestInvalidAddresses(t *testing.T) {
	t.Parallel()
	hosts := []string{"unix:/x", "host:99999", "host:port", "host:", "-:80", "a,b", "a..b:80", "10.0.0.256:80"}
	for field, c := range map[string]struct {
		text      string // with * for the address
		malformed []string
		valid     []string
	}{
		"listen.public":         {"listen: {public: '*'}", []string{"http://unix:/x", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1", "a b:80", "127.0.0.256:80", ""}, []string{"127.0.0.1:0", "[::1]:8080", "localhost:http"}},
		"listen.pages":          {"pages_url: 'https://keys.example.com'\nlisten: {pages: '*'}", []string{"127.0.0.1:65536", "unix:/x"}, []string{":8082"}},
		"listen.pages_host":     {"pages_url: 'https://keys.example.com'\nlisten: {pages_host: '*'}", []string{"https://keys.example.com", "keys.example.com:443", "keys/", "bücher-.example"}, []string{"keys.example.com", "bücher.example"}},
		"public_url":            {"public_url: 'https://*'", append(hosts, "u:p@host", "host/?a=1"), []string{"host:8443", "[::1]:1", "bücher.example"}},
		"pages_url":             {"pages_url: 'https://*'", hosts, []string{"keys.example.com"}},
		"branding.support_url":  {"branding: {support_url: 'https://*'}", hosts, []string{"help.example.com/faq?a=1#b"}},
		"upstreams.backend.url": {"upstreams: {backend: {url: 'http://*'}}", hosts, []string{"10.0.0.20:8000", "[fe80::1%25eth0]:80/base"}},
		"export.url":            {"export: {url: 'https://*'}", hosts, []string{"billing.example.com/api"}},
		"rate_limit.redis":      {"rate_limit: {redis: 'redis://*'}", hosts, []string{"127.0.0.1:6379/1"}},
		"store.url":             {"store: {url: 'postgres://*'}", []string{"host:99999/d", "a:5432,b:99999/d", "host:/d"}, []string{"a:5432,b:5432/d", "/d?host=/run/postgresql", "[::1]/d"}},
		"mail.server":           {"mail: {from: a@example.com, server: '*'}", hosts, []string{"smtp.example.com:587", "[::1]:25"}},
		"webhooks.crm.url":      {"webhooks: {crm: {url: 'https://*'}}", hosts, []string{"crm.example.com:8443/x"}},
	} {
		isReported := func(address string) bool {
			text := strings.Replace(c.text, "*", address, 1)
			_, err := loadText(t, text, "TOKSTA_WEBHOOKS_CRM_SECRET="+signing)
			problems, _ := errors.AsType[Problems](err)
			return slices.ContainsFunc(problems, func(p Problem) bool { return p.Field == field })
		}
		for _, address := range c.malformed {
			if !isReported(address) {
				t.Errorf("%s: %q is accepted", field, address)
			}
		}
		for _, address := range c.valid {
			if isReported(address) {
				t.Errorf("%s: %q is rejected", field, address)
			}
		}
	}
}

// The private socket's path is accepted only if it is free or a socket.
func TestPrivateSocketPath(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file, socket := filepath.Join(dir, "file"), filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Symlink(socket, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for name, valid := range map[string]bool{"free": true, "socket": true, "file": false, ".": false, "link": false} {
		_, err := loadText(t, "listen: {private: '"+filepath.Join(dir, name)+"'}")
		if (err == nil) != valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
