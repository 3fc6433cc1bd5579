package changefeed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/toksta/toksta"
)

// The file of tombstones is a line that says what it is, then records of a
// digest and the CRC-32 of it. It survives the process, not a power failure:
// the database does, and every start writes what the file lacks. The file is
// for the day on which the database is an older one.
const (
	tombstoneHeader = "toksta tombstones 1\n"
	digestLen       = len(toksta.Digest{})
	recordLen       = digestLen + crc32.Size
)

// damage is what is wrong with a file of tombstones. The zero damage is a file
// without any.
type damage struct {
	repaired int // records, or the header, that had one flipped bit
	skipped  int // bytes before the last record that are no record
	torn     int // bytes after the last record, fewer than a record has
}

// Error lists the damage.
func (d damage) Error() string {
	return fmt.Sprintf("%d records had a flipped bit, %d bytes are no record, %d bytes at the end are part of one", d.repaired, d.skipped, d.torn)
}

// isPrefix reports whether content is a part of whole, cut off before its end.
func isPrefix(content []byte, whole string) bool {
	return len(content) < len(whole) && strings.HasPrefix(whole, string(content))
}

func encodeTombstones(digests []toksta.Digest) []byte {
	out := make([]byte, 0, len(digests)*recordLen)
	for _, d := range digests {
		out = append(out, d[:]...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(d[:]))
	}
	return out
}

// decodeTombstones returns the digests of every whole record, wherever it
// stands: behind a damaged record, and behind one that was written in part.
// It repairs single bits in content.
func decodeTombstones(content []byte) (digests []toksta.Digest, found damage, err error) {
	head := len(tombstoneHeader)
	isHeader := func(b []byte) bool { return string(b) == tombstoneHeader }
	switch {
	case len(content) >= head && isHeader(content[:head]):
	case len(content) >= head && flipBit(content[:head], isHeader):
		found.repaired++
	default:
		return nil, found, errors.New("this is not a file of tombstones; correct the path, or keep the file elsewhere")
	}
	good := head // end of the last whole record
	for at := head; at+recordLen <= len(content); {
		record := content[at : at+recordLen]
		whole := isRecord(record)
		if !whole && (at-good)%recordLen == 0 && flipBit(record, isRecord) {
			found.repaired++
			whole = true
		}
		if !whole {
			at++
			continue
		}
		digests = append(digests, toksta.Digest(record[:digestLen]))
		found.skipped += at - good
		at += recordLen
		good = at
	}
	if rest := len(content) - good; rest < recordLen {
		found.torn = rest
	} else {
		found.skipped += rest
	}
	return digests, found, nil
}

func isRecord(b []byte) bool {
	return binary.BigEndian.Uint32(b[digestLen:]) == crc32.ChecksumIEEE(b[:digestLen])
}

// flipBit looks for the one bit of b that makes it whole when it is flipped,
// and flips it. In records as short as these, no two bits do.
func flipBit(b []byte, whole func([]byte) bool) bool {
	for i := range b {
		for mask := byte(1); mask != 0; mask <<= 1 {
			b[i] ^= mask
			if whole(b) {
				return true
			}
			b[i] ^= mask
		}
	}
	return false
}
