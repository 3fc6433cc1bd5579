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

// doctor prints one line for each check, whatever fails, and exits with 1 when
// one failed. A warning is no failure.
func (c *cli) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Examine this machine and the server, and say what to do", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			checks := c.examine(cmd.Context(), cfg)
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

// examine asks the server and looks at the directory that it says it keeps. A
// server named by its socket may have another configuration than the one found
// here, so what the configuration says is examined only where no server answers
// and none was named.
func (c *cli) examine(ctx context.Context, cfg config.Config) []client.Check {
	checks := []client.Check{ok("configuration", fmt.Sprintf("%d plans, %d routes", len(cfg.Plans), len(cfg.Routes)))}
	if cfg.Listen.TLS.Cert != "" {
		checks = append(checks, certificate(cfg.Listen.TLS, time.Now()))
	}
	health, err := c.health(ctx)
	if err == nil {
		checks = append(checks, sameVersion(health.Version), clock(time.Since(health.Now)), dataDirectory(health.Data), freeSpace(health.Data))
		return append(checks, health.Checks...)
	}
	if c.socket == "" {
		checks = append(checks, dataDirectory(cfg.Data), freeSpace(cfg.Data))
	}
	return append(checks, fail("server", err.Error(), hint(err)))
}

// health asks the server to examine itself, which reads its database through.
func (c *cli) health(ctx context.Context) (client.Health, error) {
	api, err := c.client()
	if err != nil {
		return client.Health{}, err
	}
	api.Wait.Limit = max(api.Wait.Limit, longTimeout)
	return api.Health(ctx)
}

// ok, warn and fail are what a check can find. A failure makes the exit code 1, a
// warning is for reading; both say what to do.
func ok(name, detail string) client.Check {
	return client.Check{Name: name, Level: client.LevelOK, Detail: detail}
}

func warn(name, detail, fix string) client.Check {
	return client.Check{Name: name, Level: client.LevelWarn, Detail: detail, Fix: fix}
}

func fail(name, detail, fix string) client.Check {
	return client.Check{Name: name, Level: client.LevelFail, Detail: detail, Fix: fix}
}

// dataDirectory warns when others can read what the server keeps.
func dataDirectory(dir string) client.Check {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return warn("data directory", dir+" does not exist", "toksta serve makes it; its parent must be writable")
	case err != nil:
		return fail("data directory", err.Error(), "let this user read it")
	case info.Mode().Perm()&0o077 != 0:
		return warn("data directory", fmt.Sprintf("%s can be opened by others (%v)", dir, info.Mode().Perm()), "chmod 700 "+dir)
	}
	return ok("data directory", dir)
}

// enoughSpace is what a disk has free for nobody to worry.
const enoughSpace = 1 << 30

// freeSpace warns before the journal of counted calls has nowhere to grow.
func freeSpace(dir string) client.Check {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return warn("disk", err.Error(), "start the server once, then look again")
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB free", free>>20)
	if free < enoughSpace {
		return warn("disk", text, "free some: calls that cannot be counted are refused")
	}
	return ok("disk", text)
}

// renewBefore is how long before its end a certificate should be new again.
const renewBefore = 14 * 24 * time.Hour

// certificate reads the pair as the server does, so that a renewal that did not
// take is seen here.
func certificate(files config.TLS, now time.Time) client.Check {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return fail("certificate", err.Error(), "correct listen.tls.cert and listen.tls.key")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fail("certificate", err.Error(), "replace the file")
	}
	text := "ends " + stamp(leaf.NotAfter)
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		return fail("certificate", text, "renew it; the server reads the new file by itself")
	case left < renewBefore:
		return warn("certificate", text, "renew it; the server reads the new file by itself")
	}
	return ok("certificate", text)
}

// sameVersion compares what serves with this program: an upgrade is not over until
// the server has been restarted.
func sameVersion(serving string) client.Check {
	if serving != version() {
		return warn("server", "version "+serving+", this program is "+version(), "restart the server after an upgrade")
	}
	return ok("server", "version "+serving)
}

// maxSkew is how far two clocks on one machine can be apart by the time that
// a call takes.
const maxSkew = 2 * time.Second

// clock judges how far the server's wall clock, which ends keys and windows, is
// from this program's.
func clock(skew time.Duration) client.Check {
	if skew = skew.Abs(); skew > maxSkew {
		return warn("clock", fmt.Sprintf("%v apart from the server's", skew.Round(time.Second)), "let both follow a time server")
	}
	return ok("clock", "agrees with the server's")
}
