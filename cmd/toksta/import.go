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

// importer sends one file to the server in batches. The idempotency token of a
// batch consists of a digest of the file, the size of batches and the number of
// the batch, so that a repeat of the command imports no batch twice.
type importer struct {
	cli    *cli
	path   string // of the file
	format string // csv or jsonl; "": by the extension of path
	batch  int    // rows per change, at most client.MaxImport
	dryRun bool   // check the rows, import none

	api   *client.Client
	rows  rowReader // used by one goroutine
	token string    // prefix of the batches' tokens
	log   importLog // used by all senders
}

// maxConcurrentBatches lets the server read one batch while it commits another.
const maxConcurrentBatches = 2

// keysImport returns the command that imports keys by their digests, so that
// customers keep their secrets.
func (c *cli) keysImport() *cobra.Command {
	i := &importer{cli: c}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import keys of another system by the digests of their secrets", Args: exactArgs("FILE"),
		Long: `Import keys of another system by the SHA-256 digests of their secrets. Customers
keep the secrets that they have.

FILE is CSV with a header, or JSON with one object per line; - is standard input
and needs --format. The fields are digest and account and, optionally, name,
scopes, start, end, created_at, expires_at, external_id and pairs of metadata: in CSV
one column metadata.NAME for each pair. An account is an id or an external id. Rejected rows are written to
FILE.rejected, or import.rejected, with their line and the reason; a run without
rejected rows removes that file. To continue an import that stopped, repeat the
command: it leaves imported keys unchanged.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			i.path = args[0]
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				i.api = api
				return i.run(ctx)
			})
		},
	}
	cmd.Flags().StringVar(&i.format, "format", "", "csv or jsonl (default: by the file's extension)")
	cmd.Flags().IntVar(&i.batch, "batch", 5000, "rows per change")
	cmd.Flags().BoolVar(&i.dryRun, "dry-run", false, "check every row, import none")
	return cmd
}

// run imports the file. A rejected row is not an error; a failed batch is.
func (i *importer) run(ctx context.Context) (err error) {
	if i.format == "" {
		i.format = strings.TrimPrefix(filepath.Ext(i.path), ".")
	}
	if i.format == "" {
		return usageError{errors.New("the format of the file is unknown: set --format to csv or jsonl"), "toksta keys import"}
	}
	if i.format != "csv" && i.format != "jsonl" {
		return usageError{fmt.Errorf("unknown import format %q: use csv or jsonl", i.format), "toksta keys import"}
	}
	if i.batch < 1 || i.batch > client.MaxImport {
		return usageError{fmt.Errorf("%d rows per batch are out of range: use 1 to %d", i.batch, client.MaxImport), "toksta keys import"}
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
	i.log = importLog{bar: bar, path: i.rejectedPath(), totals: importTotals{DryRun: i.dryRun}}
	if i.rows, err = newRowReader(bar.countReads(file), i.format); err != nil {
		return err
	}
	err = errors.Join(i.sendBatches(ctx), i.log.close())
	totals := i.log.totals
	bar.finish(totals)
	if err != nil {
		return fmt.Errorf("import %s stopped, repeat the command to continue: %w", i.path, err)
	}
	if totals.Rejected > 0 {
		i.cli.say("%d rows were rejected, see %s.", totals.Rejected, i.log.path)
	} else if err := i.log.removeStaleFile(); err != nil {
		return err
	}
	return i.cli.show(totals, totals.table())
}

// open opens the file. It copies standard input to a temporary file, because the
// token needs the whole content before the first row is sent.
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

// rejectedPath returns the path of the file of rejected rows.
func (i *importer) rejectedPath() string {
	if i.path == standardInput {
		return "import.rejected"
	}
	return i.path + ".rejected"
}

// fingerprint computes the prefix of the batches' tokens from the content of the
// file, and rewinds the file. It returns the size of the file.
func (i *importer) fingerprint(file *os.File) (size int64, err error) {
	sum := sha256.New()
	if size, err = io.Copy(sum, file); err != nil {
		return 0, fmt.Errorf("read %s: %w", i.path, err)
	}
	i.token = hex.EncodeToString(sum.Sum(nil)) + "/" + strconv.Itoa(i.batch) + "/"
	_, err = file.Seek(0, io.SeekStart)
	return size, err
}

// batch is a sequence of rows of the file that are imported as one change.
type batch struct {
	number   int                // from 0; the same when the command is repeated
	rows     []client.ImportRow // rows to import
	lines    []int              // line of each row
	rejected []rejectedRow      // rows that could not be parsed
}

// sendBatches reads and sends batches until the file ends or a batch fails.
func (i *importer) sendBatches(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentBatches)
	for number := 0; within.Err() == nil; number++ {
		b, err := i.readBatch(number)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return i.sendBatch(within, b) })
		if err != nil {
			return group.Wait()
		}
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// readBatch returns the next batch, with io.EOF if it is the last one.
func (i *importer) readBatch(number int) (batch, error) {
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

// sendBatch imports one batch and records its result.
func (i *importer) sendBatch(ctx context.Context, b batch) error {
	var response client.ImportResponse
	if len(b.rows) > 0 {
		var err error
		request := client.ImportRequest{Rows: b.rows, DryRun: i.dryRun, Token: i.token + strconv.Itoa(b.number)}
		if response, err = i.api.ImportKeys(ctx, request); err != nil {
			return err
		}
	}
	for _, r := range response.Rejected {
		if r.Row < 0 || r.Row >= len(b.lines) {
			return fmt.Errorf("the server rejected row %d of a batch of %d", r.Row, len(b.lines))
		}
		b.rejected = append(b.rejected, rejectedRow{b.lines[r.Row], r.Reason})
	}
	return i.log.add(response, b.rejected)
}
