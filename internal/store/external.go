package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/toksta/toksta/sdk/toksta"
)

// MetadataChange changes some pairs of metadata. With Replace, all other pairs are
// removed. A name of Unset that does not exist is ignored.
type MetadataChange struct {
	Set     map[string]string
	Unset   []string
	Replace bool
}

// Apply returns the changed pairs, and the changes for the change log: "old → new" by
// name. It does not modify pairs. The error is for the client, about the field "metadata".
func (c MetadataChange) Apply(pairs map[string]string) (after, detail map[string]string, err error) {
	after = map[string]string{}
	if !c.Replace {
		maps.Copy(after, pairs)
	}
	for _, name := range c.Unset {
		if c.Set[name] != "" {
			return nil, nil, toksta.Invalid("metadata", fmt.Sprintf("The name %.60q is set and unset.", name))
		}
		delete(after, name)
	}
	maps.Copy(after, c.Set)
	if err := toksta.ValidateMetadata("metadata", after); err != nil {
		return nil, nil, err
	}
	return after, metadataDetail(pairs, after), nil
}

// metadataDetail returns the differences of two sets of pairs for the change log. A pair
// that one of them lacks has no value there: "→ new", or "old →".
func metadataDetail(before, after map[string]string) map[string]string {
	detail := map[string]string{}
	for name, value := range after {
		if before[name] != value {
			detail[name] = arrow(before[name], value)
		}
	}
	for name, value := range before {
		if after[name] == "" {
			detail[name] = arrow(value, "")
		}
	}
	return detail
}

// ExternalIDDetail returns the change of an external id for the change log, or nil if
// before and after are equal.
func ExternalIDDetail(before, after string) map[string]string {
	if before == after {
		return nil
	}
	return map[string]string{"external_id": arrow(before, after)}
}

// arrow returns "before → after" without the side that is empty.
func arrow(before, after string) string {
	switch {
	case before == "":
		return "→ " + after
	case after == "":
		return before + " →"
	default:
		return before + " → " + after
	}
}

// AccountExternalID returns the client's error CONFLICT if another account than id has the
// external id. An empty external id belongs to no account.
func AccountExternalID(ctx context.Context, r Accounts, id toksta.AccountID, external string) error {
	if external == "" {
		return nil
	}
	found, err := r.ResolveAccounts(ctx, []toksta.AccountID{toksta.AccountID(external)})
	if err != nil {
		return fmt.Errorf("find the account of the external id: %w", err)
	}
	if owner, ok := found[toksta.AccountID(external)]; ok && owner != id {
		return takenExternalID("account", external, string(owner))
	}
	return nil
}

// KeyExternalID returns the client's error CONFLICT if another key than id, which can be
// revoked, has the external id. An empty external id belongs to no key.
func KeyExternalID(ctx context.Context, r Keys, id toksta.KeyID, external string) error {
	if external == "" {
		return nil
	}
	found, err := r.ResolveKeys(ctx, []toksta.KeyID{toksta.KeyID(external)})
	if err != nil {
		return fmt.Errorf("find the key of the external id: %w", err)
	}
	if owner, ok := found[toksta.KeyID(external)]; ok && owner != id {
		return takenExternalID("key", external, string(owner))
	}
	return nil
}

// takenExternalID returns the error about an external id of another row.
func takenExternalID(thing, external, owner string) error {
	return &toksta.Error{
		Code:    toksta.CodeConflict,
		Message: fmt.Sprintf("The external id %q belongs to the %s %s. Nothing was changed.", external, thing, owner),
		Details: map[string]any{"field": "external_id", thing + "_id": owner},
		Hint:    "choose another external id, or take it from that " + thing + " first with toksta " + thing + "s set-external-id " + owner + " --remove",
	}
}
