package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// upsert writes rows of T, replacing those whose key columns exist. Rows of
// one call must differ in their key.
type upsert[T any] struct {
	table   string
	columns []string
	key     []string
	once    []string // written by the insert alone
	set     string   // what a conflict updates; "" replaces all but key and once
	lazy    bool     // without set: leaves a row alone that is the same already
	chunk   int      // rows of one statement; 0: 1
	args    func(T) ([]any, error)
}

// exec writes all rows: whole chunks, then the rest. On PostgreSQL they may
// wait to be sent with what tx does next, and so may their errors.
func (u upsert[T]) exec(ctx context.Context, tx *sql.Tx, rows []T) error {
	chunk := max(u.chunk, 1)
	whole := len(rows) - len(rows)%chunk
	ctx = later(ctx)
	for _, part := range [][]T{rows[:whole], rows[whole:]} {
		if len(part) == 0 {
			continue
		}
		if err := u.execChunks(ctx, tx, part); err != nil {
			return fmt.Errorf("write %s: %w", u.table, err)
		}
	}
	return nil
}

// execChunks writes rows, which are less than a chunk or a multiple of it. Many
// chunks share a prepared statement; a single one is spared the two round trips
// of preparing and closing it.
func (u upsert[T]) execChunks(ctx context.Context, tx *sql.Tx, rows []T) error {
	size := min(len(rows), max(u.chunk, 1))
	write := func(args []any) error {
		_, err := tx.ExecContext(ctx, u.statement(size), args...)
		return err
	}
	if len(rows) > size {
		statement, err := tx.PrepareContext(ctx, u.statement(size))
		if err != nil {
			return err
		}
		defer statement.Close()
		write = func(args []any) error {
			_, err := statement.ExecContext(ctx, args...)
			return err
		}
	}
	args := make([]any, 0, size*len(u.columns))
	for part := range slices.Chunk(rows, size) {
		args = args[:0]
		for _, row := range part {
			values, err := u.args(row)
			if err != nil {
				return err
			}
			args = append(args, values...)
		}
		if err := write(args); err != nil {
			return err
		}
	}
	return nil
}

// statement is the INSERT of that many rows. Its text comes from this package
// alone; every value is a parameter.
func (u upsert[T]) statement(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + u.table + " (" + strings.Join(u.columns, ", ") + ") VALUES ")
	b.WriteString(tuples(rows, len(u.columns)))
	b.WriteString(" ON CONFLICT (" + strings.Join(u.key, ", ") + ") DO UPDATE SET ")
	if u.set != "" {
		b.WriteString(u.set)
		return b.String()
	}
	var set, was, is []string
	for _, c := range u.columns {
		if !slices.Contains(u.key, c) && !slices.Contains(u.once, c) {
			set = append(set, c+" = excluded."+c)
			was, is = append(was, u.table+"."+c), append(is, "excluded."+c)
		}
	}
	b.WriteString(strings.Join(set, ", "))
	if u.lazy {
		b.WriteString(" WHERE (" + strings.Join(was, ", ") + ") IS DISTINCT FROM (" + strings.Join(is, ", ") + ")")
	}
	return b.String()
}

// tuples returns "($1, $2), ($3, $4)" for two rows of two.
func tuples(rows, columns int) string {
	b := make([]byte, 0, rows*columns*7)
	for i := range rows * columns {
		switch {
		case i == 0:
			b = append(b, "($"...)
		case i%columns == 0:
			b = append(b, "), ($"...)
		default:
			b = append(b, ", $"...)
		}
		b = strconv.AppendInt(b, int64(i+1), 10)
	}
	return string(append(b, ')'))
}
