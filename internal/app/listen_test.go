package app

import (
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
