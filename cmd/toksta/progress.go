package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// progress shows the progress of an import: a bar on a terminal, otherwise a line
// every few seconds.
type progress struct {
	cli   *cli
	tty   bool         // redraw one line
	size  int64        // of the file, in bytes
	read  atomic.Int64 // written by the importer, read by update
	start time.Time    // of the import
	shown time.Time    // time of the last output
}

// newProgress returns the progress of a file of size bytes that starts now.
func newProgress(c *cli, size int64) *progress {
	now := time.Now()
	return &progress{cli: c, tty: isTerminal(c.err), size: size, start: now, shown: now}
}

// countReads wraps r and counts its bytes. Progress is measured in bytes, because the
// number of rows is unknown.
func (p *progress) countReads(r io.Reader) io.Reader { return countingReader{r, &p.read} }

// countingReader counts the bytes read. Other goroutines may load n meanwhile.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// update prints the state, unless the last output is too recent. Calls must not
// overlap.
func (p *progress) update(t importTotals) {
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

// finish prints the totals and the duration.
func (p *progress) finish(t importTotals) {
	if p.tty {
		fmt.Fprint(p.cli.err, "\r\x1b[K")
	}
	elapsed := time.Since(p.start)
	p.cli.say("%d rows in %v, %.0f/s.", t.Rows, elapsed.Round(time.Millisecond), float64(t.Rows)/elapsed.Seconds())
}
