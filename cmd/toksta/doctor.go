package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
)

// doctor returns the command that prints one line for each check. The command
// fails if a check failed; a warning is not a failure.
func (c *cli) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine and the server, and recommend fixes", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := c.runChecks(cmd.Context())
			if err != nil {
				return err
			}
			t := table{header: []string{"level", "check", "found", "what to do"}}
			failed := 0
			for _, check := range checks {
				if check.Level == client.LevelFail {
					failed++
				}
				t.add(check.Level, check.Name, check.Detail, check.Fix)
			}
			if err := c.show(checks, t); err != nil {
				return err
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d checks failed", failed, len(checks))
			}
			return nil
		},
	}
}

// runChecks checks the server of the flags and the environment. Of a server on another
// machine it cannot check the configuration and the data directory.
func (c *cli) runChecks(ctx context.Context) ([]client.Check, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	if t.socket == "" {
		return c.remoteChecks(ctx, t), nil
	}
	cfg, err := c.loadConfig()
	if err != nil {
		return nil, err
	}
	return c.localChecks(ctx, cfg, t), nil
}

// remoteChecks checks the server of a profile.
func (c *cli) remoteChecks(ctx context.Context, t target) []client.Check {
	checks := []client.Check{ok("profile", t.profile.Name+", "+t.profile.URL)}
	health, err := c.health(ctx, t)
	if err != nil {
		return append(checks, fail("server", err.Error(), hint(err)))
	}
	checks = append(checks, checkVersion(health.Version), checkClock(time.Since(health.Now)))
	return append(checks, health.Checks...)
}

// localChecks checks the server and its data directory. If the server does not
// respond, it checks the data directory of the configuration, but not with
// --socket, because that server can have another configuration.
func (c *cli) localChecks(ctx context.Context, cfg config.Config, t target) []client.Check {
	checks := []client.Check{ok("configuration", fmt.Sprintf("%d plans, %d routes", len(cfg.Plans), len(cfg.Routes)))}
	if files := cfg.Listen.TLS; files.Cert != "" {
		checks = append(checks, checkCertificate("listen.tls", files, time.Now()))
	}
	if o := cfg.Listen.Operator; o.Address != "" && o.TLS.Cert != "" {
		checks = append(checks, checkCertificate("listen.operator.tls", o.TLS, time.Now()))
	}
	health, err := c.health(ctx, t)
	if err == nil {
		checks = append(checks, checkVersion(health.Version), checkClock(time.Since(health.Now)), checkDataDirectory(health.Data), checkFreeSpace(health.Data))
		return append(checks, health.Checks...)
	}
	if t.socket == cfg.Listen.Private {
		checks = append(checks, checkDataDirectory(cfg.Data), checkFreeSpace(cfg.Data))
	}
	return append(checks, fail("server", err.Error(), hint(err)))
}

// health asks the server for its own checks, which read the whole database.
func (c *cli) health(ctx context.Context, t target) (client.Health, error) {
	api, err := c.clientOf(t)
	if err != nil {
		return client.Health{}, err
	}
	api.Wait.Limit = max(api.Wait.Limit, longTimeout)
	return api.Health(ctx)
}

// ok returns a passed check.
func ok(name, detail string) client.Check {
	return client.Check{Name: name, Level: client.LevelOK, Detail: detail}
}

// warn returns a check with a warning, and its fix.
func warn(name, detail, fix string) client.Check {
	return client.Check{Name: name, Level: client.LevelWarn, Detail: detail, Fix: fix}
}

// fail returns a failed check, and its fix.
func fail(name, detail, fix string) client.Check {
	return client.Check{Name: name, Level: client.LevelFail, Detail: detail, Fix: fix}
}

// checkDataDirectory warns if other users can read the data directory.
func checkDataDirectory(dir string) client.Check {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return warn("data directory", dir+" does not exist", "toksta serve creates it; its parent must be writable")
	case err != nil:
		return fail("data directory", err.Error(), "allow this user to read it")
	case info.Mode().Perm()&0o077 != 0:
		return warn("data directory", fmt.Sprintf("other users can open %s (%v)", dir, info.Mode().Perm()), "chmod 700 "+dir)
	}
	return ok("data directory", dir)
}

// minFreeSpace is the free space below which doctor warns, in bytes.
const minFreeSpace = 1 << 30

// checkFreeSpace warns before a full disk stops the counting of calls.
func checkFreeSpace(dir string) client.Check {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return warn("disk", err.Error(), "start the server once, then run doctor again")
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB free", free>>20)
	if free < minFreeSpace {
		return warn("disk", text, "free some space: calls that cannot be counted are rejected")
	}
	return ok("disk", text)
}

// certificateWarning is the remaining validity below which doctor warns.
const certificateWarning = 14 * 24 * time.Hour

// checkCertificate reads the pair of a setting as the server does, so that it finds a
// renewal that had no effect. It warns before the certificate expires.
func checkCertificate(setting string, files config.TLS, now time.Time) client.Check {
	const name = "certificate"
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return fail(name, err.Error(), "correct "+setting+".cert and "+setting+".key")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fail(name, err.Error(), "replace the file "+files.Cert)
	}
	text := setting + " expires " + formatTime(leaf.NotAfter)
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		return fail(name, text, "renew it; the server reloads the file")
	case left < certificateWarning:
		return warn(name, text, "renew it; the server reloads the file")
	}
	return ok(name, text)
}

// checkVersion warns if the server has another version than this program: it needs
// a restart after an upgrade.
func checkVersion(serving string) client.Check {
	if serving != buildVersion() {
		return warn("server", "version "+serving+", this program is "+buildVersion(), "after an upgrade, restart the server; on another machine, install the server's version")
	}
	return ok("server", "version "+serving)
}

// maxSkew is the accepted difference of clocks, which includes the duration of a
// call.
const maxSkew = 2 * time.Second

// checkClock compares the wall clock of the server, by which keys expire, with the
// clock of this program.
func checkClock(skew time.Duration) client.Check {
	if skew = skew.Abs(); skew > maxSkew {
		return warn("clock", fmt.Sprintf("%v apart from the server's", skew.Round(time.Second)), "synchronise both with a time server")
	}
	return ok("clock", "agrees with the server's")
}
