package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/sdk/toksta"
)

const secret = "tk_op_0123456789abcdef0123456789abcdef0123456789abcdef"

// put returns a change that adds a profile with the secret.
func put(name string) func(*Set) error {
	return func(s *Set) error {
		return s.Put(Profile{
			Name: name, URL: "https://" + name, Key: toksta.Hide(secret), KeyID: "op_1", KeyName: "laptop", CA: "PEM", InsecureHTTP: true,
		})
	}
}

// Guarantee: the file and its directory are closed to other users, also if the directory
// was open before, and have all fields of a profile.
func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := Path(home)
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Update(path, put("one")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", file, info.Mode(), want)
		}
	}
	got, err := Load(path)
	if err != nil || len(got.Profiles) != 1 || got.Profiles[0].Key.Reveal() != secret {
		t.Fatalf("got %v, %v", got, err)
	}
	want := Set{Current: "one", Profiles: []Profile{{Name: "one", URL: "https://one", KeyID: "op_1", KeyName: "laptop", CA: "PEM", InsecureHTTP: true}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Profile{}, "Key")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", got, got, got), "0123456789abcdef") {
		t.Error("a profile prints its key")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the directory has %v, %v", left, err)
	}
}

// Guarantee: a file that other users can open is neither used nor replaced.
func TestOpenFileIsRejected(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o666} {
		path := Path(t.TempDir())
		if err := Update(path, put("one")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("%v: read: %v", mode, err)
		}
		if err := Update(path, put("two")); err == nil {
			t.Errorf("%v: replaced", mode)
		}
	}
}

// Guarantee: a damaged file is an error that repeats no part of it, and a missing file is an
// empty set.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := Path(t.TempDir())
	if set, err := Load(path); err != nil || len(set.Profiles) != 0 {
		t.Fatalf("no file: %v, %v", set, err)
	}
	if err := Update(path, put("one")); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", `{"profiles":[{"key":"` + secret, `{"profiles":"` + secret + `"}`, strings.Repeat(" ", maxFile+1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%.30q: %v", content, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a directory was read")
	}
}

// Guarantee: no update is lost when several processes log in at the same time, and a failed
// one changes nothing.
func TestUpdatesTakeTurns(t *testing.T) {
	t.Parallel()
	path := Path(t.TempDir())
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := Update(path, put(fmt.Sprint("p", i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	failed := errors.New("failed")
	err := Update(path, func(s *Set) error {
		s.Profiles = nil
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if got, err := Load(path); err != nil || len(got.Profiles) != 20 {
		t.Errorf("%d profiles, %v", len(got.Profiles), err)
	}
}

// Guarantee: removing the current profile makes no other one current.
func TestSet(t *testing.T) {
	t.Parallel()
	var s Set
	for _, name := range []string{"b", "a", "b"} {
		if err := put(name)(&s); err != nil {
			t.Fatal(err)
		}
	}
	if names := strings.Join(s.Names(), " "); names != "a b" || s.Current != "b" {
		t.Errorf("the names are %s, current %s", names, s.Current)
	}
	if err := s.Use("c"); err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("an unknown profile: %v", err)
	}
	if err := s.Use("a"); err != nil || s.Current != "a" {
		t.Errorf("current is %s, %v", s.Current, err)
	}
	if _, err := s.Remove("a"); err != nil || s.Current != "" || len(s.Profiles) != 1 {
		t.Errorf("after the removal: %+v, %v", s, err)
	}
	for _, name := range []string{"", "a b", "-a", "a/b", strings.Repeat("a", 65)} {
		if err := s.Put(Profile{Name: name}); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

// Guarantee: an operator key is not sent over plain HTTP to another machine by mistake.
func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://keys.example.com":       "https://keys.example.com",
		"https://keys.example.com:8443/": "https://keys.example.com:8443",
		"https://example.com/toksta/":    "https://example.com/toksta",
		"http://127.0.0.1:8090":          "http://127.0.0.1:8090",
		"http://LOCALHOST:8090":          "http://LOCALHOST:8090",
		"http://[::1]:8090":              "http://[::1]:8090",
		"http://10.0.0.1:8090":           "",
		"http://keys.example.com":        "",
		"http://127.0.0.1.example.com":   "",
		"http://localhost.example.com":   "",
		"ftp://keys.example.com":         "",
		"keys.example.com":               "",
		"https://":                       "",
		"https://u:p@keys.example.com":   "",
		"https://keys.example.com/?a=b":  "",
		"https://keys.example.com/?":     "",
		"https://keys.example.com/#a":    "",
		"https://keys.example.com\n":     "",
	} {
		got, err := CheckURL(address, false)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", address, got, err)
		}
		if err != nil && strings.Contains(err.Error(), ":p@") {
			t.Errorf("%q: the error repeats a password", address)
		}
	}
	if got, err := CheckURL("http://10.0.0.1:8090", true); err != nil || got != "http://10.0.0.1:8090" {
		t.Errorf("with consent: %q, %v", got, err)
	}
}

// Guarantee: an address without a name for its profile gets a valid one.
func TestNameOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://keys.example.com": "keys.example.com", "https://keys.example.com:8443": "keys.example.com-8443", "http://[::1]:8090": "1-8090",
	} {
		if got := NameOf(address); got != want || CheckName(got) != nil {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}
