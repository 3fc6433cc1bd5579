package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// chunk is how many rows one statement carries: enough to spread its cost,
// and few enough parameters for both engines.
const chunk = 100

// upsert writes rows of T, replacing those whose key columns exist. Rows of
// one call must differ in their key.
type upsert[T any] struct {
	table   string
	columns []string
	key     []string
	set     string // what a conflict updates; "" replaces every other column
	args    func(T) ([]any, error)
}

// exec writes all rows in chunks of one statement each.
func (u upsert[T]) exec(ctx context.Context, q querier, rows []T) error {
	var full string
	args := make([]any, 0, min(len(rows), chunk)*len(u.columns))
	for part := range slices.Chunk(rows, chunk) {
		args = args[:0]
		for _, row := range part {
			values, err := u.args(row)
			if err != nil {
				return fmt.Errorf("encode a row of %s: %w", u.table, err)
			}
			args = append(args, values...)
		}
		statement := full
		if len(part) < chunk || full == "" {
			statement = u.statement(len(part))
		}
		if len(part) == chunk {
			full = statement
		}
		if _, err := q.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("write %s: %w", u.table, err)
		}
	}
	return nil
}

func (u upsert[T]) statement(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + u.table + " (" + strings.Join(u.columns, ", ") + ") VALUES ")
	b.WriteString(tuples(rows, len(u.columns)))
	b.WriteString(" ON CONFLICT (" + strings.Join(u.key, ", ") + ") DO UPDATE SET ")
	if u.set != "" {
		b.WriteString(u.set)
		return b.String()
	}
	var set []string
	for _, c := range u.columns {
		if !slices.Contains(u.key, c) {
			set = append(set, c+" = excluded."+c)
		}
	}
	b.WriteString(strings.Join(set, ", "))
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
