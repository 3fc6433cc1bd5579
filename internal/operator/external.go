package operator

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// setAccountExternalID sets the id that an account has in the vendor's systems.
func (s server) setAccountExternalID(ctx context.Context, by toksta.Actor, r client.SetAccountExternalIDRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.SetExternalID(ctx, by, accounts.ExternalIDRequest{Account: r.Account, ExternalID: r.ExternalID}))
}

// setAccountMetadata changes the pairs of an account's metadata that the request names.
func (s server) setAccountMetadata(ctx context.Context, by toksta.Actor, r client.SetAccountMetadataRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.SetMetadata(ctx, by, accounts.MetadataRequest{
		Account: r.Account, MetadataChange: store.MetadataChange(r.MetadataChange),
	}))
}

// setKeyExternalID sets the id that a key has in the vendor's systems.
func (s server) setKeyExternalID(ctx context.Context, by toksta.Actor, r client.SetKeyExternalIDRequest) (client.KeyResponse, error) {
	return s.keyResponse(s.Keys.SetExternalID(ctx, by, keys.ExternalIDRequest{Ref: ref(r.KeyRef), ExternalID: r.ExternalID}))
}

// setKeyMetadata changes the pairs of a key's metadata that the request names.
func (s server) setKeyMetadata(ctx context.Context, by toksta.Actor, r client.SetKeyMetadataRequest) (client.KeyResponse, error) {
	return s.keyResponse(s.Keys.SetMetadata(ctx, by, keys.MetadataRequest{Ref: ref(r.KeyRef), MetadataChange: store.MetadataChange(r.MetadataChange)}))
}

// resolve replaces the external ids of accounts and keys, and the e-mail addresses of
// members, by ids in all fields of a request. It leaves names that do not exist: the
// endpoint reports them as it reports an unknown id.
func (s server) resolve(ctx context.Context, request any) error {
	if _, ok := request.(ownDecoder); ok {
		return nil
	}
	var names references
	names.collect(reflect.ValueOf(request).Elem())
	if err := replace(ctx, names.accounts, s.Accounts.Resolve); err != nil {
		return err
	}
	if err := replace(ctx, names.keys, s.Keys.Resolve); err != nil {
		return err
	}
	for _, member := range names.members {
		id, err := s.memberID(ctx, string(*member))
		if err != nil {
			return err
		}
		*member = toksta.MemberID(id)
	}
	return nil
}

// memberID returns the id of the member with an e-mail address. It returns any other text,
// and an unknown address, as it is.
func (s server) memberID(ctx context.Context, name string) (string, error) {
	if !strings.Contains(name, "@") {
		return name, nil
	}
	m, err := s.Accounts.MemberByEmail(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return name, nil
	case err != nil:
		return "", fmt.Errorf("find the member: %w", err)
	}
	return string(m.ID), nil
}

// references are the fields of a request that do not hold an id.
type references struct {
	accounts []*toksta.AccountID
	keys     []*toksta.KeyID
	members  []*toksta.MemberID
}

// collect adds the fields of v, which must be addressable, and of the values in it.
func (r *references) collect(v reflect.Value) {
	switch field := v.Addr().Interface().(type) {
	case *toksta.AccountID:
		r.accounts = appendName(r.accounts, field)
	case *toksta.KeyID:
		r.keys = appendName(r.keys, field)
	case *toksta.MemberID:
		r.members = appendName(r.members, field)
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				r.collect(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.collect(v.Index(i))
		}
	}
}

// appendName appends field if it holds neither an id nor "".
func appendName[ID ~string](fields []*ID, field *ID) []*ID {
	if *field == "" || toksta.HasIDPrefix(string(*field)) {
		return fields
	}
	return append(fields, field)
}

// replace sets each field whose name find knows to the id of the name.
func replace[ID ~string](ctx context.Context, fields []*ID, find func(context.Context, []ID) (map[ID]ID, error)) error {
	if len(fields) == 0 {
		return nil
	}
	seen, names := map[ID]bool{}, []ID{}
	for _, field := range fields {
		if !seen[*field] {
			seen[*field] = true
			names = append(names, *field)
		}
	}
	ids, err := find(ctx, names)
	if err != nil {
		return err
	}
	for _, field := range fields {
		if id, ok := ids[*field]; ok {
			*field = id
		}
	}
	return nil
}
