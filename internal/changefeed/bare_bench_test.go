//go:build linux

package changefeed

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// bareNode makes the round trips of a node and nothing else: no lease, no index, no
// audit trail. It reads and writes only a number.
type bareNode struct {
	id                      int
	writer, feed, read, ear *pgx.Conn
}

// newBare returns a revoke over count bare nodes, which take turns as the caller. It
// measures the minimum time of two round trips for a change, a notification, a read,
// an acknowledgement and a read of the acknowledgements.
func newBare(b *testing.B, url string, count int) func() time.Duration {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
	setup := connect()
	defer setup.Close(ctx)
	for _, statement := range []string{
		`CREATE TABLE clock (seq bigint)`,
		`INSERT INTO clock VALUES (0)`,
		`CREATE TABLE keys (id int PRIMARY KEY, seq bigint)`,
		`CREATE INDEX ON keys (seq)`,
		`INSERT INTO keys SELECT i, 0 FROM generate_series(0, 9999) i`,
		`CREATE TABLE nodes (id int PRIMARY KEY, applied bigint)`,
		`INSERT INTO nodes SELECT i, 0 FROM generate_series(0, ` + fmt.Sprint(count-1) + `) i`,
		`ANALYZE`,
	} {
		if _, err := setup.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	nodes, ended := make([]bareNode, count), make(chan struct{}, count)
	for i := range nodes {
		nodes[i] = bareNode{id: i, writer: connect(), feed: connect(), read: connect(), ear: connect()}
		for conn, statement := range map[*pgx.Conn]string{nodes[i].feed: `SET synchronous_commit = off`, nodes[i].ear: `LISTEN bare`} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				b.Fatal(err)
			}
		}
		go func() {
			defer func() { ended <- struct{}{} }()
			if err := nodes[i].follow(ctx); ctx.Err() == nil {
				b.Error(err)
				stop() // or the revoke would not return
			}
		}()
	}
	b.Cleanup(func() {
		stop()
		for range nodes {
			<-ended
		}
		for i := range nodes {
			n := &nodes[i]
			for _, conn := range []*pgx.Conn{n.writer, n.feed, n.read, n.ear} {
				_ = conn.Close(context.WithoutCancel(ctx))
			}
		}
	})
	turn := 0
	return func() time.Duration {
		turn++
		n := &nodes[turn%count]
		return timed(func() {
			if err := n.revoke(ctx, turn%10_000, count-1); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// follow reads and acknowledges changes when it is notified.
func (n *bareNode) follow(ctx context.Context) error {
	for seq := int64(0); ; {
		notification, err := n.ear.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if notification.Payload == fmt.Sprint(n.id) {
			continue
		}
		err = n.feed.QueryRow(ctx, `SELECT id, seq FROM keys WHERE seq > $1 ORDER BY seq DESC LIMIT 1`, seq).Scan(nil, &seq)
		if errors.Is(err, pgx.ErrNoRows) {
			continue // already read with the change before
		}
		if err == nil {
			_, err = n.feed.Exec(ctx, `UPDATE nodes SET applied = $2 WHERE id = $1`, n.id, seq)
		}
		if err != nil {
			return err
		}
	}
}

// revoke makes a change and returns when the other nodes have acknowledged it.
func (n *bareNode) revoke(ctx context.Context, key, others int) error {
	var seq int64
	var first, then pgx.Batch
	first.Queue(`begin`)
	first.Queue(`UPDATE clock SET seq = seq + 1 RETURNING seq`).QueryRow(func(row pgx.Row) error { return row.Scan(&seq) })
	first.Queue(`SELECT id, seq FROM keys WHERE id = $1`, key).QueryRow(func(row pgx.Row) error { return row.Scan(nil, nil) })
	if err := n.writer.SendBatch(ctx, &first).Close(); err != nil {
		return err
	}
	then.Queue(`UPDATE keys SET seq = $2 WHERE id = $1`, key, seq)
	then.Queue(`SELECT CAST(pg_notify('bare', $1) AS TEXT)`, fmt.Sprint(n.id))
	then.Queue(`commit`)
	if err := n.writer.SendBatch(ctx, &then).Close(); err != nil {
		return err
	}
	for polls := 1; ; polls++ {
		var acked int
		if err := n.read.QueryRow(ctx, `SELECT count(*) FROM nodes WHERE applied >= $1`, seq).Scan(&acked); err != nil {
			return err
		}
		if acked >= others {
			return nil
		}
		if err := pause(ctx, polls); err != nil {
			return err
		}
	}
}
