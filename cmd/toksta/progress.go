package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// progress shows how far an import is: a bar that redraws on a terminal, a
// line now and then elsewhere.
type progress struct {
	cli   *cli
	tty   bool         // redraw one line instead of adding lines
	size  int64        // of the file, in bytes
	read  atomic.Int64 // by the importer, while step looks
	start time.Time    // of the import
	shown time.Time    // when step last wrote
}

// newProgress starts the clock of a file of size bytes.
func newProgress(c *cli, size int64) *progress {
	now := time.Now()
	return &progress{cli: c, tty: terminal(c.err), size: size, start: now, shown: now}
}

// count returns r, counting what is read of it. The share of the file is known
// by bytes, since nobody knows how many rows are to come.
func (p *progress) count(r io.Reader) io.Reader { return countingReader{r, &p.read} }

// countingReader may be read by one goroutine while others look at n.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

// Read counts.
func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// step shows the state, as often as people can read it. The caller keeps two
// calls from overlapping.
func (p *progress) step(t importTotal) {
	every := 5 * time.Second
	if p.tty {
		every = 100 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	share := 1.0
	if p.size > 0 {
		share = float64(p.read.Load()) / float64(p.size)
	}
	elapsed := now.Sub(p.start)
	left := time.Duration(float64(elapsed) * (1 - share) / max(share, 0.001)).Round(time.Second)
	text := fmt.Sprintf("%3.0f%%  %d rows  %.0f/s  %v left", share*100, t.Rows, float64(t.Rows)/elapsed.Seconds(), left)
	if !p.tty {
		p.cli.say("%s", text)
		return
	}
	const width = 30
	full := int(share * width)
	fmt.Fprintf(p.cli.err, "\r\x1b[K%s%s %s", strings.Repeat("█", full), strings.Repeat("░", width-full), text)
}

// finish leaves one line about the whole.
func (p *progress) finish(t importTotal) {
	if p.tty {
		fmt.Fprint(p.cli.err, "\r\x1b[K")
	}
	elapsed := time.Since(p.start)
	p.cli.say("%d rows in %v, %.0f/s.", t.Rows, elapsed.Round(time.Millisecond), float64(t.Rows)/elapsed.Seconds())
}
