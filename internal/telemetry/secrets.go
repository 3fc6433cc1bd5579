package telemetry

import (
	"crypto/sha256"
	"net/url"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxPath is the length to which a path is cut in a record, in bytes.
const maxPath = 512

// maxDecodings is the number of times that a path is decoded in search of a key. A path
// that is encoded more often is not logged from its first escape on.
const maxDecodings = 4

// LoggedPath returns the path of a record. It cuts a long path, and a path with a key
// behind prefix, which starts every key, in either case. A path that still contains
// escapes is cut at the first one if further decoding finds a key.
func LoggedPath(path, prefix string) string {
	if prefix != "" {
		if i := indexFold(path, prefix); i >= 0 {
			return path[:min(i, maxPath)] + prefix + "…"
		}
		if i := strings.IndexByte(path, '%'); i >= 0 && hidesKey(path, prefix) {
			return path[:min(i, maxPath)] + "…"
		}
	}
	if len(path) > maxPath {
		return path[:maxPath] + "…"
	}
	return path
}

// hidesKey reports whether a key appears, or could appear, when path is decoded again.
func hidesKey(path, prefix string) bool {
	for range maxDecodings {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return strings.Contains(path, "%25") // the rest could be decoded in parts
		}
		if decoded == path {
			return false
		}
		if path = decoded; indexFold(path, prefix) >= 0 {
			return true
		}
	}
	return true
}

// indexFold returns the index of the first prefix in s without regard to case, or -1.
func indexFold(s, prefix string) int {
	for i := 0; i+len(prefix) <= len(s); i++ {
		if s[i]|0x20 == prefix[0]|0x20 && strings.EqualFold(s[i:i+len(prefix)], prefix) {
			return i
		}
	}
	return -1
}

// fingerprint returns the fingerprint of an unknown key, zero for any other request.
// Equal keys have equal fingerprints. Only the holder of the secret can compute one:
// the hash covers two values of fixed length, so that a hash of both is a message
// authentication code, and its end is left out.
func fingerprint(secret *[32]byte, x *exchange.Exchange) (f [8]byte) {
	if x.Code != toksta.CodeUnauthorized || x.Principal.KeyID != "" || x.Call.Digest == (toksta.Digest{}) {
		return f
	}
	var both [64]byte
	copy(both[:], secret[:])
	copy(both[32:], x.Call.Digest[:])
	sum := sha256.Sum256(both[:])
	copy(f[:], sum[:])
	return f
}
