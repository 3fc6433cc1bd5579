package telemetry

import (
	"crypto/sha256"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxPath is the length to which a path is cut in a record, in bytes.
const maxPath = 512

// loggedPath returns the path of a record. It cuts a long path, and a path with a key
// behind the key's prefix.
func loggedPath(path, prefix string) string {
	if prefix != "" {
		if i := strings.Index(path, prefix); i >= 0 {
			return path[:min(i, maxPath)] + prefix + "…"
		}
	}
	if len(path) > maxPath {
		return path[:maxPath] + "…"
	}
	return path
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
