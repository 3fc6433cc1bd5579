package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/client"
)

// importer carries one file to the server, batch by batch. Each batch has a
// token made of the file's content and its own number, so that a repeat of the
// command finds what was done and changes nothing twice.
type importer struct {
	cli    *cli
	path   string
	format string
	batch  int
	dryRun bool

	api          *client.Client
	rows         rowReader
	token        string
	lines        []int // of the rows in the batch
	bar          *progress
	rejected     *csv.Writer
	rejectedFile *os.File
	total        importTotal
}

// importTotal is what became of a file's rows.
type importTotal struct {
	Rows     int  `json:"rows"`
	Imported int  `json:"imported"`
	Existing int  `json:"existing"`
	Rejected int  `json:"rejected"`
	DryRun   bool `json:"dry_run"`
}

func (c *cli) keysImport() *cobra.Command {
	i := &importer{cli: c}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import keys of another system by the digests of their secrets", Args: exact("FILE"),
		Long: `Import keys of another system by the SHA-256 digests of their secrets. Customers
go on using the secrets that they have.

FILE is CSV with a header, or JSON with one object a line. Its fields are
digest and account, and as needed name, scopes, start, end, created_at and
expires_at. Rows that cannot be imported are written to FILE.rejected with
their line and the reason. To go on with an import that stopped, repeat the
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

func (i *importer) run(ctx context.Context) (err error) {
	if i.format == "" {
		i.format = strings.TrimPrefix(filepath.Ext(i.path), ".")
	}
	if i.format != "csv" && i.format != "jsonl" {
		return usageError{fmt.Errorf("there is no import format %q: csv or jsonl", i.format), "toksta keys import"}
	}
	if i.batch < 1 || i.batch > client.MaxImport {
		return usageError{fmt.Errorf("a batch has 1 to %d rows", client.MaxImport), "toksta keys import"}
	}
	file, err := os.Open(i.path)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := i.fingerprint(file)
	if err != nil {
		return err
	}
	i.total.DryRun = i.dryRun
	i.bar = newProgress(i.cli, size)
	if i.rows, err = openRows(i.bar.count(file), i.format); err != nil {
		return err
	}
	rejects := i.path + ".rejected"
	defer func() { err = errors.Join(err, i.closeRejected(rejects)) }()
	if err := i.batches(ctx); err != nil {
		return fmt.Errorf("import %s after %d rows: %w", i.path, i.total.Rows, err)
	}
	i.bar.finish(i.total)
	if i.total.Rejected > 0 {
		i.cli.say("%d rows were rejected, see %s.", i.total.Rejected, rejects)
	}
	return i.cli.show(i.total, i.total.table())
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

// batches reads and sends until the file ends.
func (i *importer) batches(ctx context.Context) error {
	rows := make([]client.ImportRow, 0, i.batch)
	for number := 0; ; number++ {
		rows, i.lines = rows[:0], i.lines[:0]
		end := false
		for len(rows) < i.batch && !end {
			row, line, err := i.rows.next()
			if bad, ok := errors.AsType[rowError](err); ok {
				if err := i.reject(line, bad.reason); err != nil {
					return err
				}
				continue
			}
			if end = errors.Is(err, io.EOF); end {
				break
			}
			if err != nil {
				return err
			}
			rows, i.lines = append(rows, row), append(i.lines, line)
		}
		if len(rows) > 0 {
			if err := i.send(ctx, number, rows); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// send imports one batch and counts what became of it.
func (i *importer) send(ctx context.Context, number int, rows []client.ImportRow) error {
	request := client.ImportRequest{Rows: rows, DryRun: i.dryRun, Token: i.token + strconv.Itoa(number)}
	answer, err := i.api.ImportKeys(ctx, request)
	if err != nil {
		return err
	}
	i.total.Rows += len(rows)
	i.total.Imported += answer.Imported
	i.total.Existing += answer.Existing
	for _, r := range answer.Rejected {
		if r.Row < 0 || r.Row >= len(rows) {
			return fmt.Errorf("the server rejected row %d of a batch of %d", r.Row, len(rows))
		}
		i.total.Rows-- // reject counts it
		if err := i.reject(i.lines[r.Row], r.Reason); err != nil {
			return err
		}
	}
	i.bar.step(i.total)
	return nil
}

// reject writes a row that stays out, by its line.
func (i *importer) reject(line int, reason string) error {
	if i.rejected == nil {
		file, err := os.OpenFile(i.path+".rejected", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		i.rejected = csv.NewWriter(file)
		if err := i.rejected.Write([]string{"line", "reason"}); err != nil {
			return err
		}
		i.rejectedFile = file
	}
	i.total.Rows++
	i.total.Rejected++
	return i.rejected.Write([]string{strconv.Itoa(line), reason})
}

func (i *importer) closeRejected(path string) error {
	if i.rejected == nil {
		return nil
	}
	i.rejected.Flush()
	if err := errors.Join(i.rejected.Error(), i.rejectedFile.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (t importTotal) table() table {
	out := table{header: []string{"rows", "imported", "existing", "rejected"}}
	n := strconv.Itoa
	out.add(n(t.Rows), n(t.Imported), n(t.Existing), n(t.Rejected))
	return out
}
