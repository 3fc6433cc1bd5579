package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/sdk/client"
)

// importer carries one file to the server, batch by batch. Each batch has a
// token made of the file's content and its own number, so that a repeat of the
// command finds what was done and changes nothing twice.
type importer struct {
	cli    *cli
	path   string // of the file
	format string // csv or jsonl; "" goes by the file's name
	batch  int    // rows of one change, at most client.MaxImport
	dryRun bool   // check, write nothing

	api   *client.Client
	rows  rowReader // read by one goroutine
	token string    // of the file; a batch adds its number
	tally tally     // shared by the senders
}

// inFlight is how many batches are on their way at once: the server reads one
// while it commits another.
const inFlight = 2

// keysImport brings keys over without their secrets: no customer has to change
// anything on the day of the move.
func (c *cli) keysImport() *cobra.Command {
	i := &importer{cli: c}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import keys of another system by the digests of their secrets", Args: exact("FILE"),
		Long: `Import keys of another system by the SHA-256 digests of their secrets. Customers
go on using the secrets that they have.

FILE is CSV with a header, or JSON with one object a line; - is standard input,
and needs --format. Its fields are digest and account, and as needed name,
scopes, start, end, created_at and expires_at. Rows that cannot be imported are
written to FILE.rejected, or import.rejected, with their line and the reason; a
run without such rows removes that file. To go on with an import that stopped, repeat the
command: what was imported is left as it is.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			i.path = args[0]
			return act(c, cmd, func(ctx context.Context, api *client.Client) error {
				i.api = api
				return i.run(ctx)
			})
		},
	}
	cmd.Flags().StringVar(&i.format, "format", "", "csv or jsonl (default: by the file's name)")
	cmd.Flags().IntVar(&i.batch, "batch", 5000, "rows of one change")
	cmd.Flags().BoolVar(&i.dryRun, "dry-run", false, "check every row, import none")
	return cmd
}

// run imports the file. Rows that stay out do not fail it; a batch that cannot be
// carried out does.
func (i *importer) run(ctx context.Context) (err error) {
	if i.format == "" {
		i.format = strings.TrimPrefix(filepath.Ext(i.path), ".")
	}
	if i.format == "" {
		return usageError{errors.New("say what the file is: --format csv or jsonl"), "toksta keys import"}
	}
	if i.format != "csv" && i.format != "jsonl" {
		return usageError{fmt.Errorf("there is no import format %q: csv or jsonl", i.format), "toksta keys import"}
	}
	if i.batch < 1 || i.batch > client.MaxImport {
		return usageError{fmt.Errorf("a batch has 1 to %d rows", client.MaxImport), "toksta keys import"}
	}
	file, err := i.open()
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := i.fingerprint(file)
	if err != nil {
		return err
	}
	bar := newProgress(i.cli, size)
	i.tally = tally{bar: bar, path: i.rejected(), total: importTotal{DryRun: i.dryRun}}
	if i.rows, err = openRows(bar.count(file), i.format); err != nil {
		return err
	}
	err = errors.Join(i.batches(ctx), i.tally.close())
	total := i.tally.total
	bar.finish(total)
	if err != nil {
		return fmt.Errorf("import %s stopped, repeat the command to go on: %w", i.path, err)
	}
	if total.Rejected > 0 {
		i.cli.say("%d rows were rejected, see %s.", total.Rejected, i.tally.path)
	} else if err := i.tally.forget(); err != nil {
		return err
	}
	return i.cli.show(total, total.table())
}

// open opens the file. Standard input is copied to a temporary file first, since
// the token of an import is made of all of it before the first row is sent.
func (i *importer) open() (*os.File, error) {
	if i.path != standardInput {
		return os.Open(i.path)
	}
	file, err := os.CreateTemp("", "toksta-import")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(file, i.cli.in)
	if err = errors.Join(err, os.Remove(file.Name())); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read standard input: %w", err), file.Close())
	}
	return file, nil
}

// rejected is where rejected rows go.
func (i *importer) rejected() string {
	if i.path == standardInput {
		return "import.rejected"
	}
	return i.path + ".rejected"
}

// fingerprint makes the token of the file from its content, and goes back to
// its start.
func (i *importer) fingerprint(file *os.File) (size int64, err error) {
	sum := sha256.New()
	if size, err = io.Copy(sum, file); err != nil {
		return 0, fmt.Errorf("read %s: %w", i.path, err)
	}
	i.token = hex.EncodeToString(sum.Sum(nil)) + "/" + strconv.Itoa(i.batch) + "/"
	_, err = file.Seek(0, io.SeekStart)
	return size, err
}

// batch is a part of a file.
type batch struct {
	number   int                // from 0, the same in a repeat
	rows     []client.ImportRow // what the server is asked for
	lines    []int              // of the rows
	rejected []rejectedRow      // those that could not even be read
}

// batches reads and sends until the file ends or a batch fails.
func (i *importer) batches(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for number := 0; within.Err() == nil; number++ {
		b, err := i.read(number)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return i.send(within, b) })
		if err != nil {
			return group.Wait()
		}
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// read returns the next batch, with io.EOF when it is the last one.
func (i *importer) read(number int) (batch, error) {
	b := batch{number: number, rows: make([]client.ImportRow, 0, i.batch)}
	for len(b.rows) < i.batch {
		row, line, err := i.rows.next()
		if bad, ok := errors.AsType[rowError](err); ok {
			b.rejected = append(b.rejected, rejectedRow{line, bad.reason})
			continue
		}
		if err != nil {
			return b, err
		}
		b.rows, b.lines = append(b.rows, row), append(b.lines, line)
	}
	return b, nil
}

// send imports one batch and counts what became of it.
func (i *importer) send(ctx context.Context, b batch) error {
	var answer client.ImportAnswer
	if len(b.rows) > 0 {
		var err error
		request := client.ImportRequest{Rows: b.rows, DryRun: i.dryRun, Token: i.token + strconv.Itoa(b.number)}
		if answer, err = i.api.ImportKeys(ctx, request); err != nil {
			return err
		}
	}
	for _, r := range answer.Rejected {
		if r.Row < 0 || r.Row >= len(b.lines) {
			return fmt.Errorf("the server rejected row %d of a batch of %d", r.Row, len(b.lines))
		}
		b.rejected = append(b.rejected, rejectedRow{b.lines[r.Row], r.Reason})
	}
	return i.tally.add(answer, b.rejected)
}
