package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/sdk/toksta"
)

// Path returns the path of the file in a configuration directory such as ~/.config.
func Path(configHome string) string { return filepath.Join(configHome, "toksta", "profiles.json") }

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// storedSet and storedProfile are the JSON of the file.
type storedSet struct {
	Current  string          `json:"current,omitempty"`
	Profiles []storedProfile `json:"profiles"`
}

type storedProfile struct {
	Name         string               `json:"name"`
	URL          string               `json:"url"`
	Key          string               `json:"key"`
	KeyID        toksta.OperatorKeyID `json:"key_id,omitempty"`
	KeyName      string               `json:"key_name,omitempty"`
	CA           string               `json:"ca,omitempty"`
	InsecureHTTP bool                 `json:"insecure_http,omitempty"`
}

// Load reads the file at path. Without a file the set is empty. It is an error if another
// user can read or replace the file. No error repeats a part of the file's content.
func Load(path string) (Set, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, nil
	}
	if err != nil {
		return Set{}, fmt.Errorf("read the profiles: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(f, path); err != nil {
		return Set{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Set{}, fmt.Errorf("read the profiles: %w", err)
	}
	var stored storedSet
	if len(data) > maxFile || json.Unmarshal(data, &stored) != nil {
		return Set{}, fmt.Errorf("%s is damaged: remove it, and run toksta login URL again", path)
	}
	out := Set{Current: stored.Current}
	for _, p := range stored.Profiles {
		out.Profiles = append(out.Profiles, Profile{
			Name: p.Name, URL: p.URL, Key: toksta.Hide(p.Key), KeyID: p.KeyID, KeyName: p.KeyName, CA: p.CA, InsecureHTTP: p.InsecureHTTP,
		})
	}
	return out, nil
}

// checkPrivate returns an error unless f is a file of this user that no other user can read
// or write. Only root may use the file of another user.
func checkPrivate(f *os.File, path string) error {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return fmt.Errorf("examine the profiles: %w", err)
	}
	switch mode := fs.FileMode(s.Mode); {
	case s.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%s is not a file: remove it, and run toksta login URL again", path)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("other users can open %s (mode %04o), which has operator keys: rotate them if a stranger may have read it, then run chmod 600 %s", path, mode.Perm(), path)
	case int(s.Uid) != os.Geteuid() && os.Geteuid() != 0:
		return fmt.Errorf("%s belongs to another user: remove it, and run toksta login URL again", path)
	}
	return nil
}

// Update reads the file at path, applies change and replaces the file in one step. Updates
// of several processes take turns. If change returns an error, the file stays as it is.
func Update(path string, change func(*Set) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the directory of the profiles: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the directory of the profiles to other users: %w", err)
	}
	locked, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("lock the profiles: %w", err)
	}
	defer locked.Close()
	if err := unix.Flock(int(locked.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the profiles: %w", err)
	}
	set, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(&set); err != nil {
		return err
	}
	if err := replace(path, set); err != nil {
		return fmt.Errorf("write the profiles: %w", err)
	}
	return locked.Sync()
}

// replace writes set to a new file, which only this user can read, and moves it to path.
func replace(path string, set Set) error {
	data, err := json.MarshalIndent(set.stored(), "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".profiles-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after a failure
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// stored returns the JSON of the file, with the keys.
func (s Set) stored() storedSet {
	out := storedSet{Current: s.Current, Profiles: []storedProfile{}}
	for _, p := range s.Profiles {
		out.Profiles = append(out.Profiles, storedProfile{
			Name: p.Name, URL: p.URL, Key: p.Key.Reveal(), KeyID: p.KeyID, KeyName: p.KeyName, CA: p.CA, InsecureHTTP: p.InsecureHTTP,
		})
	}
	return out
}
