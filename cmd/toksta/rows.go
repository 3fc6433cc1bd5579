package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// rowReader reads the keys of an import one by one: io.EOF after the last,
// a rowError for one that cannot be read, any other error ends the reading.
type rowReader interface {
	next() (client.ImportRow, int, error) // with its line
}

// rowError says why one row cannot be read; those after it can.
type rowError struct{ reason string }

// Error is the reason as it stands in the file of rejected rows.
func (e rowError) Error() string { return e.reason }

// openRows reads rows as CSV with a header, or as JSON, one object a line.
func openRows(r io.Reader, format string) (rowReader, error) {
	r = text.SkipBOM(r)
	if format == "jsonl" {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), 1<<20)
		return &jsonRows{lines: lines}, nil
	}
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header of the CSV file: %w", err)
	}
	columns := slices.Clone(header)
	for i, name := range columns {
		if !slices.Contains(columnNames(), name) {
			return nil, fmt.Errorf("there is no column %q; known are %s", name, strings.Join(columnNames(), ", "))
		}
		if slices.Index(columns, name) < i {
			return nil, fmt.Errorf("the column %q stands twice in the header", name)
		}
	}
	for _, name := range []string{"digest", "account"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("there is no column %s, which every key needs", name)
		}
	}
	return &csvRows{reader: reader, columns: columns}, nil
}

// columnNames are the names of the fields of a row in either format.
func columnNames() []string {
	return []string{"digest", "account", "name", "scopes", "start", "end", "created_at", "expires_at"}
}

// csvRows reads CSV by the names in its header, in any order.
type csvRows struct {
	reader  *csv.Reader
	columns []string
}

// next rejects a row with too few or too many cells rather than guess which.
func (c *csvRows) next() (client.ImportRow, int, error) {
	record, err := c.reader.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return client.ImportRow{}, parse.StartLine, rowError{parse.Err.Error()}
	}
	if err != nil {
		return client.ImportRow{}, 0, err
	}
	line, _ := c.reader.FieldPos(0)
	var row client.ImportRow
	for i, name := range c.columns {
		if !utf8.ValidString(record[i]) {
			return row, line, rowError{name + " is not UTF-8 text; save the file as UTF-8"}
		}
		if err := setColumn(&row, name, record[i]); err != nil {
			return row, line, rowError{err.Error()}
		}
	}
	return row, line, nil
}

// setColumn reads one cell into its field; whether the value is possible is for
// the server to say. Scopes are separated by spaces or semicolons.
func setColumn(row *client.ImportRow, name, cell string) (err error) {
	switch name {
	case "digest":
		row.Digest = cell
	case "account":
		row.Account = toksta.AccountID(cell)
	case "name":
		row.Name = cell
	case "scopes":
		row.Scopes = families(strings.FieldsFunc(cell, func(r rune) bool { return r == ' ' || r == ';' }))
	case "start":
		row.Start = cell
	case "end":
		row.End = cell
	case "created_at":
		row.CreatedAt, err = moment(name, cell)
	case "expires_at":
		row.ExpiresAt, err = moment(name, cell)
	}
	return err
}

// moment reads an RFC 3339 time; an empty cell is none.
func moment(name, cell string) (*time.Time, error) {
	if cell == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, cell)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not an RFC 3339 time", name, cell)
	}
	return &t, nil
}

// jsonRows reads one JSON object a line; blank lines are passed over.
type jsonRows struct {
	lines *bufio.Scanner
	line  int
}

// next rejects a line that is not one object, and a field that no row has: a
// misspelt expiry must not mean never.
func (j *jsonRows) next() (row client.ImportRow, line int, err error) {
	for j.lines.Scan() {
		j.line++
		if len(bytes.TrimSpace(j.lines.Bytes())) == 0 {
			continue
		}
		if err := text.CheckObject(j.lines.Bytes()); err != nil {
			return row, j.line, rowError{err.Error()}
		}
		d := json.NewDecoder(bytes.NewReader(j.lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&row); err != nil {
			return row, j.line, rowError{strings.TrimPrefix(err.Error(), "json: ")}
		}
		return row, j.line, nil
	}
	if err := j.lines.Err(); err != nil {
		return row, j.line + 1, fmt.Errorf("read line %d: %w", j.line+1, err)
	}
	return row, 0, io.EOF
}
