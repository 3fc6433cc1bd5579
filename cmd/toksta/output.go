package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/internal/text"
)

// The output formats. JSON and YAML have all fields of the API, with its names.
// Tables and CSV have a selection for people, names are for scripts.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
	formatCSV   = "csv"
	formatName  = "name" // ids, one per line
)

// checkFormat rejects an unknown format before the command runs.
func checkFormat(format string) error {
	if slices.Contains([]string{formatTable, formatJSON, formatYAML, formatCSV, formatName}, format) {
		return nil
	}
	return usageError{fmt.Errorf("unknown output format %q: use table, json, yaml, csv or name", format), "toksta"}
}

// table is output for people or a spreadsheet. Without a header it is bare data,
// such as a secret for a pipe.
type table struct {
	header []string   // in lower case; printed in capitals
	rows   [][]string // each as long as the header, if not empty
}

// add appends a row with its cells in the order of the header.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// show prints data in the chosen format; t holds the same data as a table. It
// returns write errors, so that a full disk is not mistaken for an empty result.
func (c *cli) show(data any, t table) error {
	t, err := c.selectColumns(t)
	if err != nil {
		return err
	}
	switch c.output {
	case formatJSON:
		encoder := json.NewEncoder(c.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(data)
	case formatYAML:
		return c.showYAML(data)
	case formatCSV:
		w := csv.NewWriter(c.out)
		if len(t.header) > 0 {
			w = csv.NewWriter(c.csvOut())
			_ = w.Write(t.header) // WriteAll returns the error
		}
		for _, row := range t.rows {
			for i := range row {
				row[i] = escapeFormula(row[i])
			}
		}
		if err := w.WriteAll(t.rows); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
		return nil
	case formatName:
		for _, id := range t.ids() {
			if _, err := fmt.Fprintln(c.out, printable(id)); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
		}
		return nil
	default:
		return c.showTable(c.fitTerminal(t))
	}
}

// ids returns the id of each row: the column "id", otherwise the first column. A table of
// the fields of one thing has one id.
func (t table) ids() (out []string) {
	column := max(slices.Index(t.header, "id"), 0)
	for _, row := range t.rows {
		if slices.Equal(t.header, []string{"field", "value"}) {
			if row[0] == "id" {
				return []string{row[1]}
			}
			continue
		}
		out = append(out, row[column])
	}
	return out
}

// addColumns adds --columns to the commands that print a table and change nothing: an
// unknown column must not fail after a change.
func (c *cli) addColumns(commands []*cobra.Command) {
	for _, cmd := range commands {
		c.addColumns(cmd.Commands())
		if slices.Contains([]string{"list", "show", "reservations", "sessions", "status", "audit", "usage", "nodes", "doctor"}, cmd.Name()) {
			cmd.Flags().StringSliceVar(&c.columns, "columns", nil, "only these `columns` of a table or CSV, in this order")
		}
	}
}

// selectColumns returns the columns of t that --columns names, in its order.
func (c *cli) selectColumns(t table) (table, error) {
	if len(c.columns) == 0 {
		return t, nil
	}
	if c.output != formatTable && c.output != formatCSV {
		return t, usageError{fmt.Errorf("--columns selects columns of a table or CSV, and the output is %s", c.output), "toksta"}
	}
	out := table{header: c.columns, rows: make([][]string, len(t.rows))}
	for _, name := range c.columns {
		i := slices.Index(t.header, name)
		if i < 0 {
			return t, usageError{fmt.Errorf("there is no column %q: use %s", name, strings.Join(t.header, ", ")), "toksta"}
		}
		for r, row := range t.rows {
			out.rows[r] = append(out.rows[r], row[i])
		}
	}
	return out, nil
}

// csvOut returns the writer of tables as CSV, which starts with a byte-order mark
// if --bom is set. Bare data, such as a secret, never has a mark.
func (c *cli) csvOut() io.Writer {
	if c.bom {
		return text.WithBOM(c.out)
	}
	return c.out
}

// showYAML converts data through JSON, so that both formats have the same names.
func (c *cli) showYAML(data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	var node yaml.Node // keeps the order of fields, unlike a map
	if err := yaml.Load(encoded, &node); err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	resetStyle(&node)
	out, err := yaml.Dump(&node)
	if err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	_, err = c.out.Write(out)
	return err
}

// resetStyle removes the inline style that the JSON syntax left on a node and its
// children.
func resetStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		resetStyle(child)
	}
}

// showTable prints a table with aligned columns, and makes every cell printable.
func (c *cli) showTable(t table) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(t.header) > 0 {
		fmt.Fprintln(w, strings.ToUpper(strings.Join(t.header, "\t")))
	}
	for _, row := range t.rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// printable replaces control and bidirectional characters, so that text from a
// caller, such as a User-Agent, cannot control the terminal. It returns "-" for "".
func printable(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, cell)
}

// formatTime formats a time in UTC, to the second, so that times sort as text. It
// returns "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// joinOr joins items with commas, or returns empty if there are none.
func joinOr[T ~string](items []T, empty string) string {
	if len(items) == 0 {
		return empty
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = string(item)
	}
	return strings.Join(out, ",")
}

// escapeFormula quotes text that a spreadsheet would run as a formula, such as a
// name from a customer. It keeps numbers unchanged.
func escapeFormula(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) || cell == "-" {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}
