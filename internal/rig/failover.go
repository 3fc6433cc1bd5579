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

// database is the one server that the nodes write to: another one after each
// fail-over.
type database struct {
	folder  string // of all servers
	primary atomic.Pointer[postgres]
	heirs   int
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

// address is where the server is now.
func (d *database) address() string { return d.primary.Load().address() }

// close ends the server in order.
func (d *database) close() { d.primary.Load().stop(syscall.SIGINT) }

// failOver gives the server a standby without which it commits nothing, kills
// the server a while later, and makes the standby the server. The nodes' links
// lead to it from then on.
func (d *database) failOver(ctx context.Context, while time.Duration) error {
	old := d.primary.Load()
	d.heirs++
	heir, err := old.copied(filepath.Join(d.folder, fmt.Sprint("database-", d.heirs)))
	if err != nil {
		return err
	}
	// Only a commit that waits shows that all do from now on.
	insist := []string{`ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`}
	for _, statement := range insist {
		if _, err := old.exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := old.until(ctx, `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`); err != nil {
		return err
	}
	if err := heir.start(); err != nil {
		return err
	}
	if err := old.until(ctx, `SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`); err != nil {
		return err
	}
	rest(ctx, while)
	old.stop(syscall.SIGKILL)
	if out, err := heir.command("pg_ctl", "promote", "-D", heir.data()).CombinedOutput(); err != nil {
		return fmt.Errorf("pg_ctl promote: %w\n%s", err, out)
	}
	d.primary.Store(heir)
	return os.RemoveAll(old.folder)
}

// copied is a standby of p that does not run yet.
func (p *postgres) copied(folder string) (*postgres, error) {
	heir, err := newPostgres(folder)
	if err != nil {
		return nil, err
	}
	backup := heir.command("pg_basebackup", "-h", p.folder, "-p", p.port, "-U", "postgres", "-D", heir.data(),
		"-R", "-c", "fast", "--no-sync", "--no-manifest")
	if out, err := backup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return heir, nil
}

// until returns once query has a row.
func (p *postgres) until(ctx context.Context, query string) error {
	for {
		rows, err := p.exec(ctx, query)
		if err != nil || rows > 0 {
			return err
		}
		rest(ctx, 10*time.Millisecond)
	}
}

// failOverWithin bounds a fail-over, most of which is the making of a standby.
const failOverWithin = time.Minute

// failOver kills the server in the middle of changes that a standby confirms.
func (n *nemesis) failOver(ctx context.Context, at hit) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failOverWithin)
	defer cancel()
	n.lasting(fault{kind: failOver, node: allNodes}, func() {
		if err := n.cluster.database.failOver(ctx, n.leases(0.2+at.luck)); err != nil {
			n.cluster.fail(fmt.Errorf("fail over: %w", err))
		}
	})
}
