package main

import (
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// width returns the number of columns of the terminal that shows the output, or 0 if the
// output is not shown on a terminal.
func (c *cli) width() int {
	f, ok := c.out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

const (
	columnGap = 2  // spaces between columns
	minColumn = 10 // characters that a shortened column keeps
)

// canShorten reports whether a column has text for people. Ids, secrets, times and numbers
// are always shown whole, because people copy and compare them.
func canShorten(column string) bool {
	return slices.Contains([]string{
		"name", "external id", "scopes", "detail", "by", "from", "keys admitted", "email", "outcome",
		"deliveries", "reason", "fix", "operation",
	}, column)
}

// isEssential reports whether a narrow terminal must show a column.
func isEssential(column string) bool {
	return slices.Contains([]string{"name", "secret", "state", "status", "at", "change", "detail", "field", "value", "email"}, column)
}

// fitTerminal shortens a table to the width of the terminal. If that is not enough, it
// leaves out columns from the right, unless --columns names them, and reports which.
func (c *cli) fitTerminal(t table) table {
	width := c.width()
	if width == 0 || len(t.header) == 0 {
		return t
	}
	var omitted []string
	for total := t.fit(width); total > width && len(c.columns) == 0; total = t.fit(width) {
		last := len(t.header) - 1
		for last > 0 && isEssential(t.header[last]) {
			last--
		}
		if last == 0 {
			break
		}
		omitted = append(omitted, t.header[last])
		t.drop(last)
	}
	if len(omitted) > 0 {
		slices.Reverse(omitted)
		c.say("The terminal is too narrow for: %s. Widen it, or use --columns, -o csv or -o json.", strings.Join(omitted, ", "))
	}
	return t
}

// drop removes a column.
func (t *table) drop(column int) {
	t.header = slices.Delete(slices.Clone(t.header), column, column+1)
	for i, row := range t.rows {
		t.rows[i] = slices.Delete(slices.Clone(row), column, column+1)
	}
}

// fit shortens the widest columns with text until the table fits into width characters, or
// until each of them has minColumn. A shortened cell ends with "…". It returns the width of
// the table and changes no cell if that is still too large.
func (t table) fit(width int) (total int) {
	widths := make([]int, len(t.header))
	total = -columnGap
	for i, name := range t.header {
		widths[i] = utf8.RuneCountInString(name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(row[i])))
		}
		total += widths[i] + columnGap
	}
	for ; total > width; total-- {
		widest := -1
		for i, name := range t.header {
			if canShorten(name) && widths[i] > max(minColumn, utf8.RuneCountInString(name)) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return total
		}
		widths[widest]--
	}
	for _, row := range t.rows {
		for i := range t.header {
			row[i] = shorten(row[i], widths[i])
		}
	}
	return total
}

// shorten returns the first characters of a cell and "…" if it has more than n characters.
func shorten(cell string, n int) string {
	if utf8.RuneCountInString(cell) <= n {
		return cell
	}
	return string([]rune(cell)[:n-1]) + "…"
}
