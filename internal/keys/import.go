package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// MaxImport is the largest number of rows in one request. It limits the time
// for which the change blocks other changes.
const MaxImport = 10_000

// ImportRow describes a key of another system by the SHA-256 of its secret.
type ImportRow struct {
	Digest    toksta.Digest
	Account   toksta.AccountID // id or external id
	Name      string           // "": a default name
	Scopes    []toksta.Family  // any families of the catalog; the plan is not checked
	Start     string           // first characters after the prefix, shown to people; may be empty
	End       string           // last characters of the secret
	CreatedAt *time.Time       // nil: now
	ExpiresAt *time.Time       // nil: never
	// ExternalID is the key's id in the vendor's systems, and Metadata the pairs that
	// the vendor keeps with it; both can be empty.
	ExternalID string
	Metadata   map[string]string
}

// ImportRequest is a batch of rows. With DryRun, Import changes nothing and
// returns the results that it would have without DryRun.
type ImportRequest struct {
	Rows   []ImportRow
	DryRun bool
	Token  string // idempotency token: a repeated request imports only rows that could not be imported before; "": none
}

// ImportState is the result of one row.
type ImportState string

// Results of a row.
const (
	RowImported ImportState = "imported" // in a dry run: would be imported
	RowExists   ImportState = "exists"   // a key with this digest existed before, in any state
	RowInvalid  ImportState = "invalid"
)

// ImportResult is the result of one row, with its key or the reason.
type ImportResult struct {
	State  ImportState
	Key    toksta.KeyID // the new or the existing key
	Reason string       // why the row is invalid, for people

	account toksta.AccountID // of a new key; the row can have its external id
}

// Imported is the result of an import, with the rows in the request's order.
type Imported struct {
	Results []ImportResult
	Counts  map[ImportState]int
	Receipt toksta.Receipt
}

// Import adds keys that were created in another system, in one change. Only the
// operator can import, so neither the account's plan nor Catalog.MaxKeys applies.
// Invalid rows do not prevent the import of the others, and a key that exists is
// not changed, so a batch can be sent again.
func (s *Service) Import(ctx context.Context, by toksta.Actor, req ImportRequest) (Imported, error) {
	if len(req.Rows) == 0 || len(req.Rows) > MaxImport {
		return Imported{}, toksta.Invalid("rows", fmt.Sprintf("Send 1 to %d rows, not %d.", MaxImport, len(req.Rows)))
	}
	// Ids, names, scopes and duplicates are checked before the commit, because
	// they do not need the store's lock.
	draft := s.draftImport(by, req.Rows)
	var out Imported
	decide := func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		var err error
		if out, err = draft.resolve(ctx, r); err != nil || out.Counts[RowImported] == 0 {
			return store.Mutation{}, err
		}
		return store.Mutation{
			Kind:   toksta.ChangeKeysImported,
			Detail: map[string]string{"keys": strconv.Itoa(out.Counts[RowImported])},
			Keys:   draft.newKeys(out.Results),
		}, nil
	}
	if req.DryRun {
		_, err := decide(ctx, s.Store)
		return out, err
	}
	receipt, err := s.Log.Commit(ctx, by, store.Once(store.Token(toksta.ChangeKeysImported, "", req.Token), decide))
	if _, isRepeated := errors.AsType[*store.RepeatedError](err); isRepeated {
		// The keys of the first request exist now. Rows that it could not import, for example
		// because their account did not exist, are imported.
		if out, err = draft.resolve(ctx, s.Store); err == nil && out.Counts[RowImported] > 0 {
			receipt, err = s.Log.Commit(ctx, by, decide)
		}
	}
	out.Receipt = receipt
	return out, err
}

// importDraft is a batch that was validated without the store.
type importDraft struct {
	keys     []toksta.Key       // by row
	reasons  []string           // by row; "": the row is valid
	digests  []toksta.Digest    // of valid rows
	accounts []toksta.AccountID // of valid rows, each once
	external []toksta.KeyID     // the external ids of valid rows
}

// draftImport validates each row and finds repeated digests. Each valid row gets
// the id that its key will have if the digest is new.
func (s *Service) draftImport(by toksta.Actor, rows []ImportRow) importDraft {
	now := s.now()
	d := importDraft{keys: make([]toksta.Key, len(rows)), reasons: make([]string, len(rows))}
	first, firstExternal := make(map[toksta.Digest]int, len(rows)), map[string]int{}
	seen := map[toksta.AccountID]bool{}
	for i, row := range rows {
		if at, isRepeated := first[row.Digest]; isRepeated {
			d.reasons[i] = fmt.Sprintf("Row %d of this batch has the same digest.", at+1)
			continue
		}
		first[row.Digest] = i
		if at, isRepeated := firstExternal[row.ExternalID]; isRepeated {
			d.reasons[i] = fmt.Sprintf("external_id: Row %d of this batch has the same external id.", at+1)
			continue
		}
		k, err := s.draftRow(row, now)
		if err != nil {
			d.reasons[i] = errorText(err)
			continue
		}
		k.CreatedBy = creatorName(by)
		d.keys[i] = k
		d.digests = append(d.digests, row.Digest)
		if row.ExternalID != "" {
			firstExternal[row.ExternalID] = i
			d.external = append(d.external, toksta.KeyID(row.ExternalID))
		}
		if !seen[row.Account] {
			seen[row.Account] = true
			d.accounts = append(d.accounts, row.Account)
		}
	}
	return d
}

// defaultName is the name of an imported key if its row has no name.
const defaultName = "Imported key"

// draftRow converts a row to a key. An expiry in the past is valid: the key is
// imported as an expired key. The id contains the time of creation, so that
// imported keys are listed by their age.
func (s *Service) draftRow(row ImportRow, now time.Time) (toksta.Key, error) {
	var digestErr, startErr error
	name, nameErr := text.Name("name", cmp.Or(row.Name, defaultName))
	scopes, scopesErr := s.validScopes(row.Scopes, row.Scopes)
	expires, expiresErr := toksta.ValidateTime("expires_at", row.ExpiresAt)
	created, createdErr := toksta.ValidateTime("created_at", row.CreatedAt)
	if row.CreatedAt == nil {
		created = now
	}
	if row.Digest == (toksta.Digest{}) {
		digestErr = toksta.Invalid("digest", "The digest is missing.")
	}
	if !isPreview(row.Start) || !isPreview(row.End) {
		startErr = toksta.Invalid("start", "Start and end are at most 4 printable ASCII characters each.")
	}
	if createdErr == nil && created.After(now) {
		createdErr = toksta.Invalid("created_at", "The time of creation is in the future.")
	}
	if err := toksta.InvalidFields(nameErr, scopesErr, expiresErr, createdErr, digestErr, startErr,
		validExternalID(row.ExternalID), toksta.ValidateMetadata("metadata", row.Metadata)); err != nil {
		return toksta.Key{}, err
	}
	return toksta.Key{
		ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, created)), AccountID: row.Account, Name: name,
		Limits: toksta.Limits{Scopes: scopes}, CreatedAt: created, ExpiresAt: expires,
		ExternalID: row.ExternalID, Metadata: row.Metadata,
		Generations: []toksta.Generation{{
			Digest: row.Digest, Number: 1, Start: row.Start, End: row.End, CreatedAt: created,
		}},
	}, nil
}

// resolve finds the existing keys and accounts in r and returns the result of
// each row.
func (d importDraft) resolve(ctx context.Context, r store.Reader) (Imported, error) {
	existing, err := r.KeysByDigest(ctx, d.digests)
	if err != nil {
		return Imported{}, fmt.Errorf("find the existing keys: %w", err)
	}
	accounts, err := r.ResolveAccounts(ctx, d.accounts)
	if err != nil {
		return Imported{}, fmt.Errorf("find the accounts of the keys: %w", err)
	}
	external, err := r.ResolveKeys(ctx, d.external)
	if err != nil {
		return Imported{}, fmt.Errorf("find the keys with the external ids: %w", err)
	}
	closed, err := r.ClosedAccounts(ctx, slices.Collect(maps.Values(accounts)))
	if err != nil {
		return Imported{}, fmt.Errorf("find the closed accounts of the keys: %w", err)
	}
	out := Imported{Results: make([]ImportResult, len(d.keys)), Counts: map[ImportState]int{}}
	for i, k := range d.keys {
		result := ImportResult{State: RowInvalid, Reason: d.reasons[i]}
		if result.Reason == "" {
			id, exists := existing[k.Current().Digest]
			account, known := accounts[k.AccountID]
			other, taken := external[toksta.KeyID(k.ExternalID)]
			switch {
			case exists:
				result = ImportResult{State: RowExists, Key: id}
			case !known:
				result.Reason = fmt.Sprintf("There is no account %q.", k.AccountID)
			case closed[account]:
				result.Reason = fmt.Sprintf("The account %s is closed.", account)
			case taken:
				result.Reason = fmt.Sprintf("external_id: It belongs to the key %s.", other)
			default:
				result = ImportResult{State: RowImported, Key: k.ID, account: account}
			}
		}
		out.Results[i] = result
		out.Counts[result.State]++
	}
	return out, nil
}

// newKeys returns the keys of the rows whose result is RowImported.
func (d importDraft) newKeys(results []ImportResult) []toksta.Key {
	keys := make([]toksta.Key, 0, len(results))
	for i, r := range results {
		if r.State == RowImported {
			k := d.keys[i]
			k.AccountID = r.account
			keys = append(keys, k)
		}
	}
	return keys
}

// maxPreview is the largest number of characters that are stored from either end
// of a secret.
const maxPreview = 4

// isPreview reports whether s can be shown as one end of a secret: printable
// ASCII, and short enough that no whole secret is stored by mistake.
func isPreview(s string) bool {
	return len(s) <= maxPreview && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// errorText returns the message of an error about a row, for people. If the error
// has a field, the text starts with its name.
func errorText(err error) string {
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok {
		return err.Error()
	}
	if field, ok := e.Details["field"].(string); ok {
		return field + ": " + e.Message
	}
	return e.Message
}
