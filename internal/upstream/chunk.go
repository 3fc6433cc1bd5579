package upstream

import (
	"bytes"
	"io"
)

const (
	// maxChunkLine is the length of the longest line with the size of a chunk.
	maxChunkLine = 256
	// maxTrailer is the length of the longest trailer section.
	maxTrailer = 8 << 10
	// maxOverhead limits the bytes of a chunked body that are not data. Each chunk may
	// have 16 of them, and two for each byte of data.
	maxOverhead = 16 << 10
)

// chunks decodes a chunked body from bytes that arrive piece by piece.
type chunks struct {
	state    chunkState
	left     int64 // bytes of data in the current chunk
	overhead int64
	trailer  section
	fields   []Field // the trailer, after the end
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd
	chunkTrailer
)

// next decodes the beginning of b. It returns the number of decoded bytes and the data
// among them, which is a part of b. Both are zero if b holds too few bytes to go on. The
// error is io.EOF after the last byte of the trailer.
func (c *chunks) next(b []byte) (n int, data []byte, err error) {
	for {
		step := 0
		switch c.state {
		case chunkSize:
			step, err = c.size(b[n:])
		case chunkData:
			if step = int(min(int64(len(b)-n), c.left)); step > 0 {
				if c.left -= int64(step); c.left == 0 {
					c.state = chunkEnd
				}
				return n + step, b[n : n+step], nil
			}
		case chunkEnd:
			step, err = c.ending(b[n:])
		case chunkTrailer:
			if step, err = c.readTrailer(b[n:]); step > 0 && err == nil {
				return n + step, nil, io.EOF
			}
		}
		if err != nil || step == 0 {
			return n, nil, err
		}
		n += step
	}
}

// size reads the line with the size of a chunk.
func (c *chunks) size(b []byte) (int, error) {
	at := bytes.IndexByte(b[:min(len(b), maxChunkLine)], '\n')
	if at < 0 {
		if len(b) >= maxChunkLine {
			return 0, malformed("the line with the size of a chunk is too long")
		}
		return 0, nil
	}
	if at == 0 || b[at-1] != '\r' {
		return 0, malformed("the size of a chunk ends without a carriage return")
	}
	size, extension, extended := bytes.Cut(b[:at-1], []byte{';'})
	n, ok := parseHex(size)
	if !ok {
		return 0, malformed("the size of a chunk is not a hexadecimal number")
	}
	for _, e := range extension {
		if extended && !isText(e) {
			return 0, malformed("the extension of a chunk contains a control character")
		}
	}
	c.overhead = max(c.overhead+int64(at)+1-(16+2*n), 0)
	if c.overhead > maxOverhead {
		return 0, malformed("too many bytes of a chunked body are not data")
	}
	if c.left, c.state = n, chunkData; n == 0 {
		c.state = chunkTrailer
	}
	return at + 1, nil
}

// ending reads the end of the line after the data of a chunk.
func (c *chunks) ending(b []byte) (int, error) {
	if len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
		return 0, malformed("the data of a chunk is longer than its size")
	}
	if len(b) < len(crlf) {
		return 0, nil
	}
	c.state = chunkSize
	return len(crlf), nil
}

// readTrailer reads the whole trailer section, which may be empty.
func (c *chunks) readTrailer(b []byte) (int, error) {
	n, err := c.trailer.end(b)
	if err != nil {
		return 0, err
	}
	if n > maxTrailer || n == 0 && len(b) > maxTrailer {
		return 0, malformed("the trailer is too long")
	}
	if n == 0 {
		return 0, nil
	}
	if c.fields, err = parseFields(c.fields[:0], b[:n]); err != nil {
		return 0, err
	}
	for _, f := range c.fields {
		switch f.Name {
		case "Content-Length", "Transfer-Encoding", "Trailer":
			return 0, malformed("the trailer holds the length of the body")
		}
	}
	return n, nil
}

// parseHex parses the size of a chunk: at most 15 hexadecimal digits.
func parseHex(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}
