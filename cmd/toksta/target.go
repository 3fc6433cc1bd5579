package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/profile"
	"github.com/toksta/toksta/sdk/client"
)

// target is the server that a command calls.
type target struct {
	socket  string          // "": a profile's server
	profile profile.Profile // zero with a socket
}

// target returns the first of these servers that is given:
//
//  1. by the flag --profile or --socket
//  2. by the variable TOKSTA_PROFILE or TOKSTA_SOCKET
//  3. by a configuration: --config, TOKSTA_CONFIG, TOKSTA_DATA, TOKSTA_LISTEN_PRIVATE, or
//     toksta.yaml in the working directory
//  4. by the current profile
//  5. by the default configuration
//
// A configuration comes before the current profile, so that a command in the directory of
// a test server cannot change another one. With a socket or a profile, the configuration is
// not read: it may be invalid or another server's.
func (c *cli) target() (target, error) {
	socket, name, err := c.given()
	switch {
	case err != nil:
		return target{}, err
	case socket != "":
		return target{socket: socket}, nil
	case name != "":
		return c.profileTarget(name)
	}
	if !c.isConfigured() {
		set, err := c.profiles()
		if err != nil {
			return target{}, err
		}
		if set.Current != "" {
			return c.profileTarget(set.Current)
		}
	}
	cfg, err := c.loadConfig()
	return target{socket: cfg.Listen.Private}, err
}

// given returns the socket or the profile of the flags or, without them, of the variables.
func (c *cli) given() (socket, name string, err error) {
	if c.socket != "" || c.profile != "" {
		if c.socket != "" && c.profile != "" {
			return "", "", usageError{errors.New("--socket and --profile name two servers; give one of them"), "toksta"}
		}
		return c.socket, c.profile, nil
	}
	if c.process.Socket != "" && c.process.Profile != "" {
		return "", "", usageError{errors.New("TOKSTA_SOCKET and TOKSTA_PROFILE name two servers; unset one of them, or use --socket or --profile"), "toksta"}
	}
	return c.process.Socket, c.process.Profile, nil
}

// isConfigured reports whether a file or a variable configures a server on this machine.
func (c *cli) isConfigured() bool {
	if c.configFile() != "" {
		return true
	}
	for _, entry := range c.process.Environ {
		if name, value, _ := strings.Cut(entry, "="); value != "" && (name == "TOKSTA_DATA" || name == "TOKSTA_LISTEN_PRIVATE") {
			return true
		}
	}
	return false
}

// profiles reads the profiles of this person.
func (c *cli) profiles() (profile.Set, error) {
	if c.process.ConfigHome == "" {
		return profile.Set{}, nil
	}
	return profile.Load(profile.Path(c.process.ConfigHome))
}

// profileTarget returns the server of the profile with a name. It checks the address again,
// because the file can have been edited.
func (c *cli) profileTarget(name string) (target, error) {
	set, err := c.profiles()
	if err != nil {
		return target{}, err
	}
	p, err := set.Get(name)
	if err != nil {
		return target{}, err
	}
	if _, err := profile.CheckURL(p.URL, p.InsecureHTTP); err != nil {
		return target{}, fmt.Errorf("profile %s: %w", name, err)
	}
	return target{profile: p}, nil
}

// client returns a client of the server.
func (t target) client() (*client.Client, error) {
	if t.socket != "" {
		return client.New(t.socket), nil
	}
	options := []client.Option{client.WithKey(t.profile.Key.Reveal())}
	if t.profile.CA != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(t.profile.CA)) {
			return nil, errors.New("the profile " + t.profile.Name + " has no valid CA certificate: run toksta login again, with --ca")
		}
		options = append(options, client.WithTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}))
	}
	return client.New(t.profile.URL, options...), nil
}

// newClient returns a client of the server that the flags and the environment name.
func (c *cli) newClient() (*client.Client, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	return c.clientOf(t)
}

// clientOf returns a client of a server, with the name of the operator and the timeout of
// this command.
func (c *cli) clientOf(t target) (*client.Client, error) {
	out, err := t.client()
	if err != nil {
		return nil, err
	}
	out.Operator = c.process.Operator
	out.Wait = client.Wait{Limit: c.timeout, Notice: c.printWaitNotice, After: noticeAfter}
	if c.timeout > 0 {
		out.Wait.After = min(out.Wait.After, c.timeout/2)
	}
	return out, nil
}

// noticeAfter is the wait after which a command prints a notice.
const noticeAfter = 3 * time.Second
