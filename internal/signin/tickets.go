package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// secretLen is the number of random bytes of a secret: the value of a cookie, or the code of a link.
const secretLen = 32

// newSecret returns a random secret and the id under which it is stored. It has 256 random bits, so
// a SHA-256 without a salt is enough, as for a key's secret.
func newSecret() (toksta.Hidden, toksta.Digest) {
	var raw [secretLen]byte
	rand.Read(raw[:])
	return toksta.Hide(base64.RawURLEncoding.EncodeToString(raw[:])), sha256.Sum256(raw[:])
}

// secretID returns the id under which a secret is stored; ok is false if it is malformed.
func secretID(secret toksta.Hidden) (id toksta.Digest, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(secret.Reveal())
	if err != nil || len(raw) != secretLen {
		return toksta.Digest{}, false
	}
	return sha256.Sum256(raw), true
}

// putTicket stores t with data, as JSON, under the id of a new secret, which it returns.
func (s *Service) putTicket(ctx context.Context, t store.Ticket, data any) (toksta.Hidden, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return toksta.Hidden{}, fmt.Errorf("encode the ticket for %s: %w", t.Purpose, err)
	}
	secret, id := newSecret()
	t.ID, t.Data = id, string(raw)
	if err := s.Tickets.PutTicket(ctx, t); err != nil {
		return toksta.Hidden{}, fmt.Errorf("store the ticket for %s: %w", t.Purpose, err)
	}
	return secret, nil
}

// readTicket returns the ticket of a secret without using it, and decodes its data. If the ticket is
// unknown, used, expired or for another purpose, the error is store.ErrNotFound.
func (s *Service) readTicket(ctx context.Context, purpose string, secret toksta.Hidden, data any) (store.Ticket, error) {
	id, ok := secretID(secret)
	if !ok {
		return store.Ticket{}, store.ErrNotFound
	}
	t, err := s.Tickets.Ticket(ctx, id)
	switch {
	case err != nil:
		return store.Ticket{}, fmt.Errorf("read the ticket for %s: %w", purpose, err)
	case t.Purpose != purpose, !s.now().Before(t.ExpiresAt):
		return store.Ticket{}, store.ErrNotFound
	}
	if err := json.Unmarshal([]byte(t.Data), data); err != nil {
		return store.Ticket{}, fmt.Errorf("decode the ticket for %s: %w", purpose, err)
	}
	return t, nil
}

// useTicket uses a ticket. Of several simultaneous calls, one succeeds; for the others, the error is
// store.ErrNotFound.
func (s *Service) useTicket(ctx context.Context, t store.Ticket) error {
	if _, err := s.Tickets.UseTicket(ctx, t.ID); err != nil {
		return fmt.Errorf("use the ticket for %s: %w", t.Purpose, err)
	}
	return nil
}

// ifNotFound returns replacement if err is store.ErrNotFound, and otherwise err.
func ifNotFound(err, replacement error) error {
	if errors.Is(err, store.ErrNotFound) {
		return replacement
	}
	return err
}
