package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// MaxImport is the most rows of one request: it bounds how long the change
// holds up others.
const MaxImport = 10_000

// ImportRow is one key that exists elsewhere, by the SHA-256 of its secret.
type ImportRow struct {
	Digest    toksta.Digest
	Account   toksta.AccountID
	Name      string          // "": unnamed
	Scopes    []toksta.Family // any of the catalogue's, whatever the plan
	Start     string          // first characters behind the prefix, for people; may be empty
	End       string          // last characters
	CreatedAt *time.Time      // nil: now
	ExpiresAt *time.Time      // nil: never
}

// ImportRequest is a batch of rows. DryRun says what would happen and changes
// nothing.
type ImportRequest struct {
	Rows   []ImportRow
	DryRun bool
	Token  string // makes a repeated request harmless; "" means none
}

// ImportState is what became of a row.
type ImportState string

// The states of a row.
const (
	// In a dry run it would be.
	RowImported ImportState = "imported"
	RowExists   ImportState = "exists" // a key with that digest was there before, of any state
	RowInvalid  ImportState = "invalid"
)

// ImportResult is what became of one row.
type ImportResult struct {
	State  ImportState
	Key    toksta.KeyID // the new or the existing one
	Reason string       // of an invalid row, for people
}

// Imported answers an import, row by row in the request's order.
type Imported struct {
	Results []ImportResult
	Counts  map[ImportState]int
	Receipt toksta.Receipt
}

// Import takes over keys that were made elsewhere, as one change. It is the
// operator's: neither the account's plan nor the catalogue's MaxKeys holds it
// back. Valid rows go in whatever the others are, and a row that exists is
// left as it is, so a batch can be sent again.
func (s *Service) Import(ctx context.Context, by toksta.Actor, req ImportRequest) (Imported, error) {
	if len(req.Rows) == 0 || len(req.Rows) > MaxImport {
		return Imported{}, toksta.Invalid("rows", fmt.Sprintf("Send 1 to %d rows, not %d.", MaxImport, len(req.Rows)))
	}
	// What needs no lock is done before taking it: ids, names, scopes and
	// duplicates of the whole batch.
	draft := s.draftImport(by, req.Rows)
	var out Imported
	decide := func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		var err error
		if out, err = draft.settle(ctx, r); err != nil || out.Counts[RowImported] == 0 {
			return store.Mutation{}, err
		}
		return store.Mutation{
			Kind:   toksta.ChangeKeysImported,
			Detail: map[string]string{"keys": strconv.Itoa(out.Counts[RowImported])},
			Keys:   draft.accepted(out.Results),
		}, nil
	}
	if req.DryRun {
		_, err := decide(ctx, s.Store)
		return out, err
	}
	receipt, err := s.Log.Commit(ctx, by, store.Once(store.Token(toksta.ChangeKeysImported, "", req.Token), decide))
	if _, before := errors.AsType[*store.RepeatedError](err); before {
		// What was imported then exists now.
		out, err = draft.settle(ctx, s.Store)
	}
	out.Receipt = receipt
	return out, err
}

// importDraft is a batch as far as it can be judged without the store.
type importDraft struct {
	keys     []toksta.Key       // by row
	reasons  []string           // by row; "" is valid
	digests  []toksta.Digest    // of valid rows
	accounts []toksta.AccountID // of valid rows, each once
}

// draftImport judges each row by itself and against the rows before it. Every
// valid row gets the id that it will have if its digest is new.
func (s *Service) draftImport(by toksta.Actor, rows []ImportRow) importDraft {
	now := s.now()
	d := importDraft{keys: make([]toksta.Key, len(rows)), reasons: make([]string, len(rows))}
	first := make(map[toksta.Digest]int, len(rows))
	named := map[toksta.AccountID]bool{}
	for i, row := range rows {
		if at, twice := first[row.Digest]; twice {
			d.reasons[i] = fmt.Sprintf("The digest is that of row %d of this batch.", at+1)
			continue
		}
		first[row.Digest] = i
		k, err := s.draftRow(row, now)
		if err != nil {
			d.reasons[i] = message(err)
			continue
		}
		k.CreatedBy = creator(by)
		d.keys[i] = k
		d.digests = append(d.digests, row.Digest)
		if !named[row.Account] {
			named[row.Account] = true
			d.accounts = append(d.accounts, row.Account)
		}
	}
	return d
}

// unnamed is the name of an imported key whose row has none.
const unnamed = "Imported key"

// draftRow turns a row into the key that it describes. An expiry in the past is
// taken over as it is: the key exists and has expired. The id carries the time
// of creation, so that imported keys are listed by their age.
func (s *Service) draftRow(row ImportRow, now time.Time) (toksta.Key, error) {
	var digestErr, startErr error
	name, nameErr := text.Name("name", cmp.Or(row.Name, unnamed))
	scopes, scopesErr := s.validScopes(row.Scopes, row.Scopes)
	expires, expiresErr := toksta.ValidateTime("expires_at", row.ExpiresAt)
	created, createdErr := toksta.ValidateTime("created_at", row.CreatedAt)
	if row.CreatedAt == nil {
		created = now
	}
	if row.Digest == (toksta.Digest{}) {
		digestErr = toksta.Invalid("digest", "The digest is missing.")
	}
	if !visible(row.Start) || !visible(row.End) {
		startErr = toksta.Invalid("start", "Start and end of a secret are up to 4 of its characters.")
	}
	if createdErr == nil && created.After(now) {
		createdErr = toksta.Invalid("created_at", "The key would be from the future.")
	}
	if err := toksta.InvalidFields(nameErr, scopesErr, expiresErr, createdErr, digestErr, startErr); err != nil {
		return toksta.Key{}, err
	}
	return toksta.Key{
		ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, created)), AccountID: row.Account, Name: name,
		Limits: toksta.Limits{Scopes: scopes}, CreatedAt: created, ExpiresAt: expires,
		Generations: []toksta.Generation{{
			Digest: row.Digest, Number: 1, Start: row.Start, End: row.End, CreatedAt: created,
		}},
	}, nil
}

// settle asks the store which of the rows are new and have an account.
func (d importDraft) settle(ctx context.Context, r store.Reader) (Imported, error) {
	existing, err := r.KeysByDigest(ctx, d.digests)
	if err != nil {
		return Imported{}, fmt.Errorf("look for existing keys: %w", err)
	}
	accounts, err := r.KnownAccounts(ctx, d.accounts)
	if err != nil {
		return Imported{}, fmt.Errorf("look for the accounts of keys: %w", err)
	}
	out := Imported{Results: make([]ImportResult, len(d.keys)), Counts: map[ImportState]int{}}
	for i, k := range d.keys {
		result := ImportResult{State: RowInvalid, Reason: d.reasons[i]}
		if result.Reason == "" {
			id, exists := existing[k.Current().Digest]
			switch {
			case exists:
				result = ImportResult{State: RowExists, Key: id}
			case accounts[k.AccountID]:
				result = ImportResult{State: RowImported, Key: k.ID}
			default:
				result.Reason = fmt.Sprintf("There is no account %q.", k.AccountID)
			}
		}
		out.Results[i] = result
		out.Counts[result.State]++
	}
	return out, nil
}

// accepted returns the keys of the rows that were found new.
func (d importDraft) accepted(results []ImportResult) []toksta.Key {
	keys := make([]toksta.Key, 0, len(results))
	for i, r := range results {
		if r.State == RowImported {
			keys = append(keys, d.keys[i])
		}
	}
	return keys
}

// maxVisible is how many characters of a secret may be known at either end.
const maxVisible = 4

// visible accepts what a page can show beside the prefix: printable ASCII, no
// longer than the ends of a secret made here, lest a whole secret be stored.
func visible(s string) bool {
	return len(s) <= maxVisible && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// message is the sentence for people in an error about a row, behind the name
// of the field that it is about.
func message(err error) string {
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok {
		return err.Error()
	}
	if field, ok := e.Details["field"].(string); ok {
		return field + ": " + e.Message
	}
	return e.Message
}
