package dbconn

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// rows is a result whose rows are still being received, so Next can fail at any row.
type rows struct {
	driver.Rows
	conn *conn
	call *call
}

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error {
	r.call.resume()
	err := r.Rows.Next(dest)
	r.call.pause()
	if errors.Is(err, io.EOF) {
		return err
	}
	return r.conn.classify(r.call, err)
}

// Close implements [driver.Rows]. It reads the remaining rows.
func (r *rows) Close() error {
	r.call.resume()
	defer r.call.end()
	return r.Rows.Close()
}

// batchRows is the result of the last statement of a batch.
type batchRows struct {
	rows    pgx.Rows
	results pgx.BatchResults
}

// Columns implements [driver.Rows].
func (r *batchRows) Columns() []string {
	var names []string
	for _, f := range r.rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	return names
}

// Close implements [driver.Rows].
func (r *batchRows) Close() error {
	r.rows.Close()
	return r.results.Close()
}

// Next implements [driver.Rows].
func (r *batchRows) Next(dest []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	values, err := r.rows.Values()
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
