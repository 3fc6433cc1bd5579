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

// rowReader reads the rows of an import.
type rowReader interface {
	// next returns the next row and its line. The error is io.EOF after the last row,
	// and a rowError if only this row cannot be parsed. Any other error is final.
	next() (client.ImportRow, int, error)
}

// rowError is the reason why one row cannot be parsed.
type rowError struct{ reason string }

// Error returns the reason, as it is written to the file of rejected rows.
func (e rowError) Error() string { return e.reason }

// newRowReader reads rows as CSV with a header, or as JSON with one object per line.
func newRowReader(r io.Reader, format string) (rowReader, error) {
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
		if !slices.Contains(columnNames(), name) && !strings.HasPrefix(name, metadataColumn) {
			return nil, fmt.Errorf("unknown column %q: use %s, and metadata.NAME", name, strings.Join(columnNames(), ", "))
		}
		if slices.Index(columns, name) < i {
			return nil, fmt.Errorf("the header has the column %q twice", name)
		}
	}
	for _, name := range []string{"digest", "account"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("the column %s is missing, and every key needs it", name)
		}
	}
	return &csvRows{reader: reader, columns: columns}, nil
}

// metadataColumn is the prefix of the CSV columns that have one pair of metadata each. A
// JSON object has all pairs under "metadata".
const metadataColumn = "metadata."

// columnNames returns the names of a row's other fields, in both formats.
func columnNames() []string {
	return []string{"digest", "account", "name", "scopes", "start", "end", "created_at", "expires_at", "external_id"}
}

// csvRows reads CSV with its columns in any order.
type csvRows struct {
	reader  *csv.Reader
	columns []string
}

// next implements rowReader. It rejects a row with too few or too many cells.
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

// setColumn parses one cell into its field. The server validates the value. Scopes
// are separated by spaces or semicolons.
func setColumn(row *client.ImportRow, name, cell string) (err error) {
	switch name {
	case "digest":
		row.Digest = cell
	case "account":
		row.Account = toksta.AccountID(cell)
	case "name":
		row.Name = cell
	case "scopes":
		row.Scopes = toFamilies(strings.FieldsFunc(cell, func(r rune) bool { return r == ' ' || r == ';' }))
	case "start":
		row.Start = cell
	case "end":
		row.End = cell
	case "created_at":
		row.CreatedAt, err = parseRowTime(name, cell)
	case "expires_at":
		row.ExpiresAt, err = parseRowTime(name, cell)
	case "external_id":
		row.ExternalID = cell
	default: // metadataColumn
		if row.Metadata == nil {
			row.Metadata = map[string]string{}
		}
		if cell != "" {
			row.Metadata[strings.TrimPrefix(name, metadataColumn)] = cell
		}
	}
	return err
}

// parseRowTime parses an RFC 3339 time. It returns nil for an empty cell.
func parseRowTime(name, cell string) (*time.Time, error) {
	if cell == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, cell)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not an RFC 3339 time", name, cell)
	}
	return &t, nil
}

// jsonRows reads one JSON object per line and skips blank lines.
type jsonRows struct {
	lines *bufio.Scanner
	line  int
}

// next implements rowReader. It rejects a line that is not exactly one object,
// and an unknown field: a misspelt expires_at must not mean never.
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
