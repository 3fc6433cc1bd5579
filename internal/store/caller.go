package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/toksta/toksta/sdk/toksta"
)

// Missing turns ErrNotFound into the caller's NOT_FOUND of what, and leaves
// every other error as it is.
func Missing(what string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return toksta.NotFound(what)
	}
	return err
}

// Beside turns ErrUncertain into ErrUnavailable for what a request writes beside
// its purpose, such as counts before a report: whoever asked for no change must
// not be told to repeat one.
func Beside(err error) error {
	if errors.Is(err, ErrUncertain) {
		return fmt.Errorf("%w: %s", ErrUnavailable, err.Error())
	}
	return err
}

// Token keeps the tokens of different kinds and of different subjects (an
// account, or one key of an account) apart, whatever their callers chose. An
// empty one stays empty: none.
func Token(kind toksta.ChangeKind, subject, given string) string {
	if given == "" {
		return ""
	}
	return string(kind) + " " + subject + " " + given
}

// Once returns decide with a token: the change that it decides on is made once.
// The token is looked up before decide runs, so a repeated request returns the
// *RepeatedError of what it did then, whatever the state has become since.
func Once(token string, decide Decide) Decide {
	if token == "" {
		return decide
	}
	return func(ctx context.Context, r Reader) (Mutation, error) {
		switch before, err := r.ChangeByToken(ctx, token); {
		case err == nil:
			return Mutation{}, &RepeatedError{Change: before}
		case !errors.Is(err, ErrNotFound):
			return Mutation{}, fmt.Errorf("look for an earlier change with the token: %w", err)
		}
		m, err := decide(ctx, r)
		m.Token = token
		return m, err
	}
}

// Repeated turns a *RepeatedError into the caller's CONFLICT with
// ReasonRepeated, message, and the ids of what was made then; it leaves every
// other error as it is.
func Repeated(err error, message string) error {
	before, ok := errors.AsType[*RepeatedError](err)
	if !ok {
		return err
	}
	details := map[string]any{"account_id": string(before.Change.AccountID)}
	if before.Change.KeyID != "" {
		details["key_id"] = string(before.Change.KeyID)
	}
	return &toksta.Error{Code: toksta.CodeConflict, Reason: toksta.ReasonRepeated, Message: message, Details: details}
}

// keyPage is the number of keys that EachKey reads at a time.
const keyPage = 1000

// EachKey returns all keys of q after q.Page.After, in id order. It reads page by
// page: outside a mutation, a key that is created meanwhile may be among them. The
// iteration ends with the first error.
func EachKey(ctx context.Context, r Keys, q KeyQuery) iter.Seq2[toksta.Key, error] {
	q.Page.Limit = keyPage
	return func(yield func(toksta.Key, error) bool) {
		for {
			keys, err := r.ListKeys(ctx, q)
			if err != nil {
				yield(toksta.Key{}, fmt.Errorf("list keys: %w", err))
				return
			}
			for _, k := range keys {
				if !yield(k, nil) {
					return
				}
			}
			if len(keys) < keyPage {
				return
			}
			q.Page.After = string(keys[keyPage-1].ID)
		}
	}
}

// AllKeys returns the account's keys of any state in id order, oldest first.
func AllKeys(ctx context.Context, r Keys, account toksta.AccountID) ([]toksta.Key, error) {
	var all []toksta.Key
	for k, err := range EachKey(ctx, r, KeyQuery{Account: account, Revoked: true}) {
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}
