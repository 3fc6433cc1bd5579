package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/toksta/toksta/internal/text"
)

// maxSecret bounds a secret read from a stream, in bytes.
const maxSecret = 4 << 10

// confirm asks a person to type word before something that cannot be undone.
// Typing it, unlike y, cannot be done by habit.
// Where nobody can be asked, it takes the flag --yes.
func (c *cli) confirm(yes bool, word, what string) error {
	if yes {
		return nil
	}
	if !terminal(c.in) || !terminal(c.err) {
		return usageError{errors.New(what + " cannot be undone; nobody can be asked here, so say --yes"), "toksta"}
	}
	fmt.Fprintf(c.err, "%s cannot be undone. Type %s to go on: ", what, word)
	line, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		return errCanceled
	}
	return nil
}

// password reads a password from a file, from a prompt without echo, or as the
// one line of standard input: never from an argument, which other users see.
func (c *cli) password(file string) (string, error) {
	content, err := c.typed(file)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(content, "\r\n"), nil
}

// typed returns the text of a file, of a line typed without echo, or of standard input.
func (c *cli) typed(file string) (string, error) {
	if file != "" {
		return c.textFile(file)
	}
	if f, ok := c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.err, "Password: ")
		data, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", err
		}
		return text.Decode("what was typed", data)
	}
	return text.Read("standard input", io.LimitReader(c.in, maxSecret))
}
