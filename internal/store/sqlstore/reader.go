package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/store"
)

// reader implements [store.Reader] on a pool or inside a transaction.
type reader struct {
	q     querier
	clock string // expression: the database's time
	locks bool   // in a change: lock the rows that the decision depends on
}

var _ store.Reader = reader{}

// pageSize is the default length of a page.
const pageSize = 100

// limit returns n, or the default length of a page if n is 0.
func limit(n int) int {
	if n <= 0 {
		return pageSize
	}
	return n
}

// collect scans all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one returns the only row of a look-up by a unique value, or ErrNotFound if there is
// none. It takes the results of the look-up.
func one[T any](found []T, err error) (T, error) {
	var zero T
	switch {
	case err != nil:
		return zero, err
	case len(found) == 0:
		return zero, store.ErrNotFound
	default:
		return found[0], nil
	}
}

// rowError converts the error of the scan of a single row: it returns ErrNotFound if the
// row is missing, and adds the name of the thing that was read to any other error.
func rowError(err error, thing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	default:
		return fmt.Errorf("read %s: %w", thing, err)
	}
}

// conditions builds a WHERE clause.
type conditions struct {
	text strings.Builder
	args []any
}

// and adds the condition "expression $n" with the next placeholder.
func (c *conditions) and(expression string, arg any) {
	if len(c.args) == 0 {
		c.text.WriteString(" WHERE ")
	} else {
		c.text.WriteString(" AND ")
	}
	c.text.WriteString(expression + " " + c.bind(arg))
}

// bind adds an argument and returns its placeholder.
func (c *conditions) bind(arg any) string {
	c.args = append(c.args, arg)
	return "$" + strconv.Itoa(len(c.args))
}
