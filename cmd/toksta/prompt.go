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

// maxSecret is the largest size of a secret read from a stream, in bytes.
const maxSecret = 4 << 10

// confirm asks the person to type word before an action that cannot be undone; y
// alone would be typed by habit. If yes is true, it does not ask. Without a terminal
// and yes, it returns a usage error.
func (c *cli) confirm(yes bool, word, action string) error {
	if yes {
		return nil
	}
	if !isTerminal(c.in) || !isTerminal(c.err) {
		return usageError{errors.New(action + " cannot be undone; to confirm it without a terminal, add --yes"), "toksta"}
	}
	if t, err := c.target(); err == nil && t.socket == "" {
		action += " on " + t.profile.Name // the person could have another server in mind
	}
	fmt.Fprintf(c.err, "%s cannot be undone. Type %s to continue: ", action, word)
	line, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		return errCanceled
	}
	return nil
}

// password reads a password from a file, from a prompt without echo, or from
// standard input. An argument would be visible to other users.
func (c *cli) password(file string) (string, error) {
	content, err := c.readSecret("Password", file)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(content, "\r\n"), nil
}

// readSecret reads a file, a line typed without echo after a prompt with the name of the
// secret, or standard input.
func (c *cli) readSecret(name, file string) (string, error) {
	if file != "" {
		return c.textFile(file)
	}
	if f, ok := c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.err, name+": ")
		data, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", err
		}
		return text.Decode("the typed text", data)
	}
	return text.Read("standard input", io.LimitReader(c.in, maxSecret))
}
