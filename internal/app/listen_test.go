package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Guarantee: only the user of the process can open the private socket, also if the umask
// permits others. Another user of the machine could otherwise manage every key. The
// test is not parallel, because the umask belongs to the process.
func TestPrivateSocketMode(t *testing.T) {
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

// Guarantee: a start removes the socket of a killed process. It removes no other file,
// nor a socket that a process listens on.
func TestOnlyStaleSocketIsRemoved(t *testing.T) {
	t.Parallel()
	// The path of a socket must be short, which t.TempDir does not promise.
	dir, err := os.MkdirTemp("", "toksta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("file"), []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := net.Listen("unix", path("live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	other, err := net.ListenPacket("unixgram", path("datagrams"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path("stale")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := errors.Join(os.Symlink(path("stale"), path("link")), os.Mkdir(path("directory"), 0o700), stale.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "live", "datagrams", "link", "directory"} {
		if l, err := listenSocket(path(name)); err == nil {
			t.Errorf("%s was replaced", name)
			l.Close()
		}
		if _, err := os.Lstat(path(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := listenSocket(path("stale"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
