package store

import (
	"errors"

	"github.com/toksta/toksta"
)

// Missing turns ErrNotFound into the caller's NOT_FOUND of what, and leaves
// every other error as it is.
func Missing(what string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return toksta.NotFound(what)
	}
	return err
}

// Token keeps the tokens of different kinds and accounts apart, whatever their
// callers chose. An empty one stays empty: none.
func Token(kind toksta.ChangeKind, account toksta.AccountID, given string) string {
	if given == "" {
		return ""
	}
	return string(kind) + " " + string(account) + " " + given
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
