package apptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Each test process links the program once, since that takes seconds.
var (
	binaryDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "toksta-binary") })
	binary    = sync.OnceValues(func() (string, error) {
		dir, err := binaryDir()
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, "toksta")
		build := exec.Command("go", "build", "-o", path, "github.com/toksta/toksta/cmd/toksta")
		build.Env = append(build.Environ(), "CGO_ENABLED=0") // as the released program; the race detector needs cgo
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the program: %w\n%s", err, out)
		}
		return path, nil
	})
)

// ProgramDir returns a directory for programs that a test process builds. Main removes it.
func ProgramDir() (string, error) { return binaryDir() }

// Binary returns the path of the program. The first call of a test process builds it.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs the tests of a package and then removes the program. The TestMain of each
// package that calls Binary or Build must call Main.
func Main(m *testing.M) {
	m.Run()
	if dir, err := binaryDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
}
