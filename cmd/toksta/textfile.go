package main

import "github.com/toksta/toksta/internal/text"

// standardInput is the file name that means standard input.
const standardInput = "-"

// textFile reads a file, or standard input for "-", without a byte-order mark.
// Text that is not UTF-8 is an error.
func (c *cli) textFile(path string) (string, error) {
	if path == standardInput {
		return text.Read("standard input", c.in)
	}
	return text.ReadFile(path)
}
