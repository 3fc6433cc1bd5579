package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// upsert describes how values of type T are written to a table: a row is inserted, or
// updated if a row with the same values in the conflict columns exists. All rows of one
// call must differ in these columns.
type upsert[T any] struct {
	table      string
	columns    []string
	conflict   []string
	insertOnly []string               // an update leaves these columns unchanged
	set        string                 // assignments of an update; "": all columns except conflict and insertOnly
	skipEqual  bool                   // without set: do not write a row that is equal
	chunk      int                    // rows of one statement; 0: 1
	args       func(T) ([]any, error) // the values of columns
}

// queue queues the statements that write all rows: whole chunks, then the rest.
func (u upsert[T]) queue(ctx context.Context, tx *dbconn.Tx, rows []T) error {
	var query string
	size := 0
	for part := range slices.Chunk(rows, max(u.chunk, 1)) {
		args := make([]any, 0, len(part)*len(u.columns))
		for _, row := range part {
			values, err := u.args(row)
			if err != nil {
				return fmt.Errorf("write %s: %w", u.table, err)
			}
			args = append(args, values...)
		}
		if len(part) != size {
			query, size = u.statement(len(part)), len(part)
		}
		if err := tx.Queue(ctx, query, args...); err != nil {
			return fmt.Errorf("write %s: %w", u.table, err)
		}
	}
	return nil
}

// statement returns the INSERT for a number of rows. All values are parameters.
func (u upsert[T]) statement(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + u.table + " (" + strings.Join(u.columns, ", ") + ") VALUES ")
	b.WriteString(tuples(rows, len(u.columns)))
	b.WriteString(" ON CONFLICT (" + strings.Join(u.conflict, ", ") + ") DO UPDATE SET ")
	if u.set != "" {
		b.WriteString(u.set)
		return b.String()
	}
	var set, was, is []string
	for _, c := range u.columns {
		if !slices.Contains(u.conflict, c) && !slices.Contains(u.insertOnly, c) {
			set = append(set, c+" = excluded."+c)
			was, is = append(was, u.table+"."+c), append(is, "excluded."+c)
		}
	}
	b.WriteString(strings.Join(set, ", "))
	if u.skipEqual {
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
