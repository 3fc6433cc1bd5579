package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// CopyConfig names the source and the target of Copy.
type CopyConfig struct {
	From string // a SQLite file that no process serves
	To   string // an empty PostgreSQL database, or one with an interrupted copy of From
	// Progress, if not nil, is called after each batch.
	Progress func(CopyProgress)
}

// CopyProgress is the progress of one table.
type CopyProgress struct {
	Table     string
	Rows, Of  int64
	Comparing bool // copied; both sides are being compared
	Number    int  // the table's place among all, from 1
	Tables    int
}

// copiedTables lists the copied tables, parents before children, with the order of their
// rows. Nodes are not copied, because they register at the target. The clock and the
// incarnation are written last.
var copiedTables = []struct{ table, order string }{
	{"accounts", "id"},
	{"members", "id"},
	{"memberships", "account_id, member_id"},
	{"invitations", "code"},
	{"identities", "provider, subject"},
	{"sessions", "id"},
	{"tickets", "id"},
	{"attempts", "scope, name"},
	{"browsers", "id, member_id"},
	{"passkeys", "id"},
	{"factors", "member_id"},
	{"recovery_codes", "member_id, hash"},
	{"changes", "seq"},
	{"keys", "id"},
	{"secrets", "digest"},
	{"operator_keys", "id"},
	{"operator_secrets", "digest"},
	{"usage", "account_id, hour, key_id, family, cost_key, reason, epoch"},
	{"usage_epochs", "epoch"},
	{"last_uses", "key_id"},
	{"events", "id"},
	{"deliveries", "event_id, channel"},
	{"credit_accounts", "account_id"},
	{"reservations", "id"},
	{"credit_entries", "id"},
	{"usage_exports", "id"},
	{"export_state", "one"},
	{"notices", "id"},
	{"notice_preferences", "member_id, account_id, topic"},
	{"notice_state", "one"},
}

// unfinishedCopy is the prefix of the incarnation of a database with an unfinished copy.
const unfinishedCopy = "copying from "

// copyBatch is the number of rows that one transaction writes.
const copyBatch = 1000

// Copy copies a whole SQLite database to PostgreSQL, with its change number, and
// compares both, row by row, before the target can be served. An interrupted copy
// continues where it stopped. Copy holds the lock of the source, so that no node
// serves it meanwhile, and writes nothing to it except schema migrations.
func Copy(ctx context.Context, c CopyConfig) error {
	ctx = dbconn.WithLongTimeout(ctx)
	if isPostgres(c.From) || !isPostgres(c.To) {
		return errors.New("a copy goes from a SQLite file to a PostgreSQL database")
	}
	from, err := open(ctx, Config{URL: c.From})
	if err != nil {
		return fmt.Errorf("open the source: %w", err)
	}
	defer from.Close()
	to, err := open(ctx, Config{URL: c.To})
	if err != nil {
		return fmt.Errorf("open the target: %w", err)
	}
	defer to.Close()
	r := copier{from: from, to: to, progress: c.Progress}
	if r.progress == nil {
		r.progress = func(CopyProgress) {}
	}
	return r.run(ctx)
}

// copier runs one copy.
type copier struct {
	from, to *Store
	progress func(CopyProgress)
}

func (c copier) run(ctx context.Context) error {
	if err := c.claim(ctx); err != nil {
		return err
	}
	for i := range copiedTables {
		if err := c.table(ctx, i); err != nil {
			return fmt.Errorf("copy %s: %w", copiedTables[i].table, err)
		}
	}
	for i, t := range copiedTables {
		c.progress(CopyProgress{Table: t.table, Comparing: true, Number: i + 1, Tables: len(copiedTables)})
		here, err := c.from.checksum(ctx, t.table, t.order)
		if err != nil {
			return err
		}
		there, err := c.to.checksum(ctx, t.table, t.order)
		if err != nil {
			return err
		}
		if here != there {
			return fmt.Errorf("%s differs after the copy, %d rows here and %d there: the source was used meanwhile, so start again with an empty target", t.table, here.rows, there.rows)
		}
	}
	return c.finish(ctx)
}

// claim marks the target as having an unfinished copy, so that no node can serve it.
// It fails if the target has data of its own.
func (c copier) claim(ctx context.Context) error {
	source, err := c.from.incarnation(ctx)
	if err != nil {
		return err
	}
	target, err := c.to.incarnation(ctx)
	if err != nil {
		return err
	}
	if target == unfinishedCopy+source {
		return nil
	}
	for _, table := range []string{"changes", "accounts", "nodes", "usage"} {
		switch n, err := c.to.count(ctx, table); {
		case err != nil:
			return err
		case n > 0:
			return fmt.Errorf("the target is in use: it has %d rows of %s. Copy into an empty database", n, table)
		}
	}
	if _, err := c.to.writer.ExecContext(ctx, `UPDATE cluster SET incarnation = $1`, unfinishedCopy+source); err != nil {
		return fmt.Errorf("claim the target: %w", err)
	}
	return nil
}

// table copies the rows that the target lacks. Rows are copied in a fixed order and in
// whole transactions, so the number of rows in the target is the place to continue.
func (c copier) table(ctx context.Context, i int) error {
	t := copiedTables[i]
	of, err := c.from.count(ctx, t.table)
	if err != nil {
		return err
	}
	done, err := c.to.count(ctx, t.table)
	if err != nil {
		return err
	}
	rows, err := c.from.reads.QueryContext(ctx, `SELECT * FROM `+t.table+` ORDER BY `+t.order+` LIMIT -1 OFFSET $1`, done)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	into := upsert[[]any]{
		table: t.table, columns: columns, conflict: strings.Split(t.order, ", "), chunk: c.to.chunk,
		args: func(row []any) ([]any, error) { return row, nil },
	}
	for batch := range batches(rows, len(columns), &err) {
		if err := c.to.inTx(ctx, func(tx *dbconn.Tx) error { return into.queue(ctx, tx, batch) }); err != nil {
			return err
		}
		done += int64(len(batch))
		c.progress(CopyProgress{Table: t.table, Rows: done, Of: of, Number: i + 1, Tables: len(copiedTables)})
	}
	return err
}

// batches yields rows in batches. When it ends, err has the error, if any.
func batches(rows *sql.Rows, width int, err *error) func(yield func([][]any) bool) {
	return func(yield func([][]any) bool) {
		batch := make([][]any, 0, copyBatch)
		for rows.Next() {
			row, failed := scanRow(rows, width)
			if failed != nil {
				*err = failed
				return
			}
			if batch = append(batch, row); len(batch) == copyBatch {
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if *err = rows.Err(); *err == nil && len(batch) > 0 {
			yield(batch)
		}
	}
}

// scanRow returns the driver's values, so that a copy neither rounds nor decodes
// them.
func scanRow(rows *sql.Rows, width int) ([]any, error) {
	row := make([]any, width)
	into := make([]any, width)
	for i := range row {
		into[i] = &row[i]
	}
	return row, rows.Scan(into...)
}

// finish gives the target the change number of the source and an incarnation of its
// own. From then on it can be served.
func (c copier) finish(ctx context.Context) error {
	var seq int64
	if err := c.from.reads.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return fmt.Errorf("read the source's clock: %w", err)
	}
	return c.to.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE clock SET seq = $1`, seq); err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE cluster SET incarnation = $1`, rand.Text()); err != nil {
			return fmt.Errorf("set the target's incarnation: %w", err)
		}
		return nil
	})
}

// count counts the rows of a table.
func (s *Store) count(ctx context.Context, table string) (n int64, err error) {
	if err := s.reads.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}

// fingerprint is equal for two tables only if their rows are equal.
type fingerprint struct {
	rows int64
	sum  [sha256.Size]byte
}

// checksum returns the fingerprint of a table. It sorts the columns by name, because
// migrations can have added them in another order.
func (s *Store) checksum(ctx context.Context, table, order string) (fingerprint, error) {
	var f fingerprint
	rows, err := s.reads.QueryContext(ctx, `SELECT * FROM `+table+` ORDER BY `+order)
	if err != nil {
		return f, fmt.Errorf("compare %s: %w", table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return f, fmt.Errorf("compare %s: %w", table, err)
	}
	sorted := slices.Sorted(slices.Values(columns))
	sum, buffer := sha256.New(), []byte(nil)
	for rows.Next() {
		row, err := scanRow(rows, len(columns))
		if err != nil {
			return f, fmt.Errorf("compare %s: %w", table, err)
		}
		buffer = buffer[:0]
		for _, name := range sorted {
			buffer = appendValue(buffer, row[slices.Index(columns, name)])
		}
		sum.Write(buffer)
		f.rows++
	}
	sum.Sum(f.sum[:0])
	return f, rows.Err()
}

// appendValue appends an unambiguous encoding of a value. Both databases return a
// number as int64 and a text as string.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 0)
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 1), uint64(v))
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, 2), uint64(len(v))), v...)
	default:
		text := fmt.Sprint(v)
		return append(binary.BigEndian.AppendUint64(append(b, 3), uint64(len(text))), text...)
	}
}
