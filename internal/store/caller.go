package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/toksta/toksta/sdk/toksta"
)

// Missing replaces ErrNotFound with the client's error NOT_FOUND, which names the
// missing thing and repeats the id that was given. It returns every other error as it is.
func Missing[ID ~string](thing string, id ID, err error) error {
	if errors.Is(err, ErrNotFound) {
		return toksta.NotFoundID(thing, string(id))
	}
	return err
}

// SideWrite replaces ErrUncertain with ErrUnavailable. It is for writes that are
// not the purpose of a request, such as the flush of counts before a report: a
// client that requested no change must not be asked to check for one.
func SideWrite(err error) error {
	if errors.Is(err, ErrUncertain) {
		return fmt.Errorf("%w: %s", ErrUnavailable, err.Error())
	}
	return err
}

// Token returns the idempotency token of a change. It consists of the kind of change,
// its subject (an account, or one key of an account) and the token given by the
// client, which can therefore be equal for different kinds or subjects. If given is
// "", Token returns "": the change has no token.
func Token(kind toksta.ChangeKind, subject, given string) string {
	if given == "" {
		return ""
	}
	return string(kind) + " " + subject + " " + given
}

// Once returns a Decide that runs decide and gives its change an idempotency token,
// so that the change is made at most once. It looks the token up before it runs
// decide: a repeated request fails with a *RepeatedError that has the first change,
// even if the state has changed since. Without a token it returns decide.
func Once(token string, decide Decide) Decide {
	if token == "" {
		return decide
	}
	return func(ctx context.Context, r Reader) (Mutation, error) {
		switch before, err := r.ChangeByToken(ctx, token); {
		case err == nil:
			return Mutation{}, &RepeatedError{Change: before}
		case !errors.Is(err, ErrNotFound):
			return Mutation{}, fmt.Errorf("find an earlier change with the token: %w", err)
		}
		m, err := decide(ctx, r)
		m.Token = token
		return m, err
	}
}

// Repeated replaces a *RepeatedError with the client's error CONFLICT, with
// ReasonRepeated, message, and the ids of the first change. It returns every other
// error as it is.
func Repeated(err error, message string) error {
	before, ok := errors.AsType[*RepeatedError](err)
	if !ok {
		return err
	}
	details := map[string]any{}
	for name, id := range map[string]string{
		"account_id": string(before.Change.AccountID), "key_id": string(before.Change.KeyID), "operator_key_id": string(before.Change.OperatorKeyID),
	} {
		if id != "" {
			details[name] = id
		}
	}
	return &toksta.Error{Code: toksta.CodeConflict, Reason: toksta.ReasonRepeated, Message: message, Details: details}
}

// keyPage is the number of keys that EachKey reads at a time.
const keyPage = 1000

// EachKey yields all keys that q selects, in id order, starting after q.Page.After. It
// reads page by page: outside a mutation, it can yield a key that is created
// meanwhile. The iteration ends with the first error.
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
