package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// The columns of grantRow.key and grantRow.secret, of a key k and its generation s. The
// id is empty if an outer join found no key.
const (
	keyColumns = `COALESCE(k.seq, 0), COALESCE(k.account_id, ''), COALESCE(k.id, ''), COALESCE(k.limits, ''),
		COALESCE(k.expires_at, 0), COALESCE(k.revoked_at, 0)`
	secretColumns = `s.digest, COALESCE(s.number, 0), COALESCE(s.revoked_at, 0)`
)

// grantRow is one generation of a key, in the form that nodes read.
type grantRow struct {
	seq                             int64
	account, id, limits             string
	expires, revoked, secretRevoked int64
	digest                          toksta.Digest
	number                          int32
}

func (r *grantRow) key() []any {
	return []any{&r.seq, &r.account, &r.id, &r.limits, &r.expires, &r.revoked}
}

func (r *grantRow) secret() []any {
	return []any{digestColumn{&r.digest}, &r.number, &r.secretRevoked}
}

// sharing makes grants that are read together share equal strings and limits in memory,
// because a million keys usually have few different limits.
type sharing struct {
	account toksta.AccountID // of the last row
	key     toksta.KeyID
	limits  map[string]*toksta.Limits // by their stored text
}

// grant returns the grant of a row. Rows of the same account or key share their ids.
func (s *sharing) grant(r *grantRow) (toksta.Grant, error) {
	if string(s.account) != r.account {
		s.account = toksta.AccountID(r.account)
	}
	if string(s.key) != r.id {
		s.key = toksta.KeyID(r.id)
	}
	limits, err := s.limit(r.limits)
	return toksta.Grant{
		KeyID: s.key, Limits: limits, ExpiresAt: r.expires, Generation: r.number,
		Revoked: r.revoked != 0 || r.secretRevoked != 0,
	}, err
}

// limit returns the limits of a stored text. It decodes each text once.
func (s *sharing) limit(text string) (*toksta.Limits, error) {
	if text == "" {
		return nil, nil
	}
	if l, ok := s.limits[text]; ok {
		return l, nil
	}
	var decoded limitsJSON
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	l := toksta.Limits(decoded)
	if s.limits == nil {
		s.limits = make(map[string]*toksta.Limits)
	}
	s.limits[strings.Clone(text)] = &l // text can share the memory of a whole page
	return &l, nil
}
