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

	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/internal/text"
)

// The output formats. JSON and YAML carry the API's own names and all there is;
// tables and CSV carry what people look for.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
	formatCSV   = "csv"
)

// checkFormat refuses an unknown format before anything is changed.
func checkFormat(format string) error {
	if slices.Contains([]string{formatTable, formatJSON, formatYAML, formatCSV}, format) {
		return nil
	}
	return usageError{fmt.Errorf("there is no output format %q: table, json, yaml or csv", format), "toksta"}
}

// table is an answer for people, or for a spreadsheet. Without a header it is
// bare data, such as a secret for a pipe.
type table struct {
	header []string   // in lower case; a table shows it in capitals
	rows   [][]string // each as long as the header, if there is one
}

// add appends a row; its cells are in the order of the header.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// show prints data in the chosen format; t is the same as a table. An error is
// one of writing: a full disk must not pass for an empty answer.
func (c *cli) show(data any, t table) error {
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
			_ = w.Write(t.header) // WriteAll reports it
		}
		for _, row := range t.rows {
			for i := range row {
				row[i] = inert(row[i])
			}
		}
		if err := w.WriteAll(t.rows); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		return nil
	default:
		return c.showTable(t)
	}
}

// csvOut is where a table goes as CSV, with a byte-order mark if one was asked for. Bare data, such as a secret, never has
// one.
func (c *cli) csvOut() io.Writer {
	if c.bom {
		return text.WithBOM(c.out)
	}
	return c.out
}

// showYAML goes through JSON, so that both formats have the same names.
func (c *cli) showYAML(data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	var node yaml.Node // keeps the order of fields, which a map would lose
	if err := yaml.Load(encoded, &node); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	unflow(&node)
	out, err := yaml.Dump(&node)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = c.out.Write(out)
	return err
}

// unflow drops the styles that JSON's syntax left on the nodes.
func unflow(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		unflow(child)
	}
}

// showTable aligns columns for a terminal and makes every cell inert.
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
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// printable keeps text that a caller chose, such as a User-Agent, from
// steering the terminal.
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

// stamp writes a time to the second, in UTC, so that two of them compare as
// text; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// list joins names, or says what an empty list stands for.
func list[T ~string](items []T, empty string) string {
	if len(items) == 0 {
		return empty
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = string(item)
	}
	return strings.Join(out, ",")
}

// inert keeps a name that a customer chose from being run as a formula when a
// spreadsheet opens the answer. Numbers stay numbers.
func inert(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) || cell == "-" {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}
