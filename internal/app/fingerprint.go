package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
)

// fingerprintFile holds the secret with which the log's fingerprints of unknown keys
// are made, in the data directory. Nodes with equal files log equal fingerprints.
const fingerprintFile = "fingerprint.key"

// fingerprintSecret reads the secret, and creates it at the first start.
func (a *App) fingerprintSecret() (secret [32]byte, err error) {
	path := a.path(fingerprintFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		rand.Read(secret[:])
		if err := os.WriteFile(path, secret[:], 0o600); err != nil {
			return secret, fmt.Errorf("create the secret of fingerprints: %w", err)
		}
		return secret, nil
	case err != nil:
		return secret, fmt.Errorf("read the secret of fingerprints: %w", err)
	case len(b) != len(secret):
		return secret, fmt.Errorf("%s has %d bytes instead of %d: delete it, and fingerprints start anew", path, len(b), len(secret))
	}
	copy(secret[:], b)
	return secret, nil
}
