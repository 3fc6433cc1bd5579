// Package profile keeps the servers that a person manages from this machine, each with its
// address and an operator key, in one file that only this person can read.
//
// The program's client commands use it. It connects to no server.
package profile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Profile is a server with the credential for it.
type Profile struct {
	Name    string
	URL     string        // of the operator listener; see CheckURL
	Key     toksta.Hidden // operator key
	KeyID   toksta.OperatorKeyID
	KeyName string
	CA      string // PEM certificates that sign the server's; "": those of the system
	// InsecureHTTP permits plain HTTP to another machine.
	InsecureHTTP bool
}

// Set is the content of the file: profiles with different names.
type Set struct {
	Current  string // name of the profile of commands that name none; "": none
	Profiles []Profile
}

// namePattern is the form of a name. It keeps names usable in shells and tables.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName returns an error unless name can be the name of a profile.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%.70q is not a name of a profile: use 1 to 64 letters, digits, dots, hyphens and underscores, and start with a letter or a digit", name)
	}
	return nil
}

// Get returns the profile with a name. The error lists the names that exist.
func (s Set) Get(name string) (Profile, error) {
	if i := s.find(name); i >= 0 {
		return s.Profiles[i], nil
	}
	if len(s.Profiles) == 0 {
		return Profile{}, fmt.Errorf("there is no profile %.70q: run toksta login URL first", name)
	}
	return Profile{}, fmt.Errorf("there is no profile %.70q: use one of %s, or run toksta login URL", name, strings.Join(s.Names(), ", "))
}

// Names returns the names of all profiles, sorted.
func (s Set) Names() []string {
	var out []string
	for _, p := range s.Profiles {
		out = append(out, p.Name)
	}
	slices.Sort(out)
	return out
}

// Put adds a profile, or replaces the one with its name, and makes it the current one.
func (s *Set) Put(p Profile) error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if i := s.find(p.Name); i >= 0 {
		s.Profiles[i] = p
	} else {
		s.Profiles = append(s.Profiles, p)
	}
	s.Current = p.Name
	return nil
}

// Use makes the profile with a name the current one.
func (s *Set) Use(name string) error {
	if _, err := s.Get(name); err != nil {
		return err
	}
	s.Current = name
	return nil
}

// Remove removes and returns the profile with a name. If it is the current one, there is no
// current one afterwards: another server must not take its place unnoticed.
func (s *Set) Remove(name string) (Profile, error) {
	p, err := s.Get(name)
	if err != nil {
		return Profile{}, err
	}
	s.Profiles = slices.Delete(s.Profiles, s.find(name), s.find(name)+1)
	if s.Current == name {
		s.Current = ""
	}
	return p, nil
}

// ErrNone means that no profile was named and there is no current one.
var ErrNone = errors.New("no profile is in use: run toksta login URL, or toksta profiles use NAME")

func (s Set) find(name string) int {
	return slices.IndexFunc(s.Profiles, func(p Profile) bool { return p.Name == name })
}
