package main

import "github.com/toksta/toksta/internal/text"

// standardInput is the name of a file that stands for standard input.
const standardInput = "-"

// textFile returns the text of a file, or of standard input for "-", without a byte-order mark. Text that is not UTF-8 is
// an error.
func (c *cli) textFile(path string) (string, error) {
	if path == standardInput {
		return text.Read("standard input", c.in)
	}
	return text.ReadFile(path)
}
