package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Whoever can open the private socket is the operator: with a umask that lets
// everybody in, another user of the machine could manage every key. It is not
// parallel, since the umask is the whole process's.
func TestPrivateSocketIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private", "toksta.sock")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for file, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(file), got, want)
		}
	}
}

// Guarantee: a start removes a socket that a killed process left behind, and no
// file of any other kind, nor a socket that a process listens on.
func TestOnlyStaleSocketIsRemoved(t *testing.T) {
	t.Parallel()
	// Sockets have short paths, which t.TempDir is not sure to be.
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := net.Listen("unix", at("live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	other, err := net.ListenPacket("unixgram", at("datagrams"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: at("stale")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := errors.Join(os.Symlink(at("stale"), at("link")), os.Mkdir(at("directory"), 0o700), stale.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "live", "datagrams", "link", "directory"} {
		if l, err := listenSocket(at(name)); err == nil {
			t.Errorf("%s was replaced", name)
			l.Close()
		}
		if _, err := os.Lstat(at(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := listenSocket(at("stale"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
