package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// database is the server that the nodes write to. Each fail-over replaces it by
// another server.
type database struct {
	folder   string // of all servers
	primary  atomic.Pointer[postgres]
	standbys int
}

// newDatabase starts an empty server.
func newDatabase(folder string) (*database, error) {
	p, err := newPostgres(filepath.Join(folder, "database"))
	if err != nil {
		return nil, err
	}
	if err := p.initialize(); err != nil {
		return nil, err
	}
	d := &database{folder: folder}
	d.primary.Store(p)
	return d, p.start()
}

// address returns the address of the current server.
func (d *database) address() string { return d.primary.Load().address() }

// close shuts the server down.
func (d *database) close() { d.primary.Load().stop(syscall.SIGINT) }

// failOver adds a synchronous standby to the server, kills the server after some
// time, and promotes the standby. The links of the nodes lead to the standby from
// then on.
func (d *database) failOver(ctx context.Context, while time.Duration) error {
	old := d.primary.Load()
	d.standbys++
	standby, err := old.newStandby(filepath.Join(d.folder, fmt.Sprint("database-", d.standbys)))
	if err != nil {
		return err
	}
	// The setting is in force for all commits once one commit waits for a standby.
	settings := []string{`ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`}
	for _, statement := range settings {
		if _, err := old.exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := old.until(ctx, `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`); err != nil {
		return err
	}
	if err := standby.start(); err != nil {
		return err
	}
	if err := old.until(ctx, `SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`); err != nil {
		return err
	}
	sleep(ctx, while)
	old.stop(syscall.SIGKILL)
	if out, err := standby.command("pg_ctl", "promote", "-D", standby.data()).CombinedOutput(); err != nil {
		return fmt.Errorf("pg_ctl promote: %w\n%s", err, out)
	}
	d.primary.Store(standby)
	return os.RemoveAll(old.folder)
}

// newStandby returns a standby of p that is not started.
func (p *postgres) newStandby(folder string) (*postgres, error) {
	standby, err := newPostgres(folder)
	if err != nil {
		return nil, err
	}
	backup := standby.command("pg_basebackup", "-h", p.folder, "-p", p.port, "-U", "postgres", "-D", standby.data(),
		"-R", "-c", "fast", "--no-sync", "--no-manifest")
	if out, err := backup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return standby, nil
}

// until returns when query returns a row.
func (p *postgres) until(ctx context.Context, query string) error {
	for {
		rows, err := p.exec(ctx, query)
		if err != nil || rows > 0 {
			return err
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// failOverWithin limits a fail-over, most of which is the creation of a standby.
const failOverWithin = time.Minute

// failOver kills the server during changes that a standby confirms.
func (n *nemesis) failOver(ctx context.Context, at injection) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failOverWithin)
	defer cancel()
	n.record(fault{kind: failOver, node: allNodes}, func() {
		if err := n.cluster.database.failOver(ctx, n.leases(0.2+at.luck)); err != nil {
			n.cluster.fail(fmt.Errorf("fail over: %w", err))
		}
	})
}
