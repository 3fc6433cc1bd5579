package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// OperatorKeys reads operator keys with their generations.
type OperatorKeys interface {
	OperatorKey(ctx context.Context, id toksta.OperatorKeyID) (toksta.OperatorKey, error)
	// ListOperatorKeys returns a page in id order, oldest first.
	ListOperatorKeys(ctx context.Context, q OperatorKeyQuery) ([]toksta.OperatorKey, error)
	// CountLiveOperatorKeys counts the operator keys that are neither revoked nor
	// expired at now.
	CountLiveOperatorKeys(ctx context.Context, now time.Time) (int, error)
}

// OperatorUses keeps the last uses of operator keys. No decision depends on them, so they
// are not in the change log, and a mutation leaves them unchanged.
type OperatorUses interface {
	// TouchOperatorKeys records the uses that are newer than the stored ones. It ignores
	// unknown keys.
	TouchOperatorKeys(ctx context.Context, uses map[toksta.OperatorKeyID]toksta.OperatorUse) error
}

// OperatorKeyQuery selects operator keys.
type OperatorKeyQuery struct {
	Revoked bool // include revoked keys
	Page    Page
}
