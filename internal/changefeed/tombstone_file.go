package changefeed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// The tombstone file consists of a header line and records, each a digest and its
// CRC-32. The file survives the end of the process, but not always a power failure:
// the database survives it, and each start adds the missing records. The file is
// needed when an older database is restored.
const (
	tombstoneHeader = "toksta tombstones 1\n"
	digestLen       = len(toksta.Digest{})
	recordLen       = digestLen + crc32.Size
)

// damage describes the defects of a tombstone file. The zero value means no defects.
type damage struct {
	repaired int // records, or the header, that had one flipped bit
	skipped  int // bytes before the last record that belong to no record
	torn     int // bytes of an incomplete record at the end
}

// Error lists the defects.
func (d damage) Error() string {
	var defects []string
	for _, defect := range []struct {
		name   string
		number int
	}{{"records with a flipped bit", d.repaired}, {"damaged bytes", d.skipped}, {"bytes of an incomplete record at the end", d.torn}} {
		if defect.number > 0 {
			defects = append(defects, fmt.Sprintf("%s: %d", defect.name, defect.number))
		}
	}
	return strings.Join(defects, ", ")
}

// isPrefix reports whether content is a proper prefix of whole.
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

// decodeTombstones returns the digests of every intact record, including those after
// a damaged or incomplete record. It corrects single flipped bits in content.
func decodeTombstones(content []byte) (digests []toksta.Digest, found damage, err error) {
	head := len(tombstoneHeader)
	isHeader := func(b []byte) bool { return string(b) == tombstoneHeader }
	switch {
	case len(content) >= head && isHeader(content[:head]):
	case len(content) >= head && flipBit(content[:head], isHeader):
		found.repaired++
	default:
		return nil, found, errors.New("this is not a tombstone file; correct the path, or keep the file elsewhere")
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

// flipBit flips the one bit of b that makes isWhole true, and reports whether such a bit
// exists. In a header or a record there is at most one such bit.
func flipBit(b []byte, isWhole func([]byte) bool) bool {
	for i := range b {
		for mask := byte(1); mask != 0; mask <<= 1 {
			b[i] ^= mask
			if isWhole(b) {
				return true
			}
			b[i] ^= mask
		}
	}
	return false
}
