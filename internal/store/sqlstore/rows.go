package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/jackc/pgx/v5"
)

// lastRows are what the last statement of a batch returns.
type lastRows struct {
	rows    pgx.Rows
	results pgx.BatchResults
}

// Columns implements [driver.Rows].
func (r *lastRows) Columns() []string { return columns(r.rows) }

// Close implements [driver.Rows].
func (r *lastRows) Close() error {
	r.rows.Close()
	return r.results.Close()
}

// Next implements [driver.Rows].
func (r *lastRows) Next(dest []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	return read(r.rows, dest)
}

// laterRows are what a statement that may wait returns, once it was sent.
type laterRows struct {
	wait  func() error // until the rows are there
	names []string
	rows  [][]driver.Value
	come  bool
}

// errNotCarriedOut is that of a query whose turn never came. What was before it
// has failed with the cause, or the transaction is over.
var errNotCarriedOut = errors.New("the query was not carried out")

// later keeps a query for later.
func (p *pipeline) later(ctx context.Context, conn *pgx.Conn, query string, args []driver.NamedValue) *laterRows {
	r := new(laterRows)
	r.wait = sync.OnceValue(func() error {
		if r.come {
			return nil
		}
		if err := p.flush(ctx, conn); err != nil {
			return err
		}
		if !r.come {
			return errNotCarriedOut
		}
		return nil
	})
	p.add(query, args).Query(r.take)
	return r
}

// take keeps the rows as they come.
func (r *laterRows) take(rows pgx.Rows) error {
	if err := rows.Err(); err != nil {
		return err
	}
	r.names, r.come = columns(rows), true
	for rows.Next() {
		row := make([]driver.Value, len(r.names))
		if err := read(rows, row); err != nil {
			return err
		}
		r.rows = append(r.rows, row)
	}
	return rows.Err()
}

// Columns implements [driver.Rows]. There are none if the query fails, as Next
// says then.
func (r *laterRows) Columns() []string {
	_ = r.wait()
	return r.names
}

// Close implements [driver.Rows]. What waits goes on waiting.
func (r *laterRows) Close() error { return nil }

// Next implements [driver.Rows].
func (r *laterRows) Next(dest []driver.Value) error {
	if err := r.wait(); err != nil {
		return err
	}
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

func columns(rows pgx.Rows) []string {
	var names []string
	for _, f := range rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	return names
}

// read reads the values of a row, as drivers hand them on.
func read(rows pgx.Rows, dest []driver.Value) error {
	values, err := rows.Values()
	if err != nil {
		return err
	}
	for i, v := range values {
		if dest[i], err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
			return fmt.Errorf("read column %d: %w", i, err)
		}
	}
	return nil
}
