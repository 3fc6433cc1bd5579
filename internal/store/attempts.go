package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Attempts keeps the numbers of failed attempts, by scope and name, for all nodes. They are not
// in the change log.
type Attempts interface {
	// ListAttempts returns the counter of each of the names, in their order. A counter that is
	// not stored has the count 0.
	ListAttempts(ctx context.Context, names []AttemptName) ([]AttemptCount, error)
	// SwapAttempts replaces counters by others with the same names, in one transaction. A
	// counter with the count 0 is deleted. If a counter in old has changed since it was read,
	// SwapAttempts changes nothing and returns false.
	SwapAttempts(ctx context.Context, old, next []AttemptCount) (bool, error)
	// TrimAttempts deletes the counters without an attempt since a time, and the oldest beyond
	// the newest keep counters.
	TrimAttempts(ctx context.Context, before time.Time, keep int) error
}

// AttemptName identifies a counter: see signin.Scope. Digest is the SHA-256 of the name.
type AttemptName struct {
	Scope  string
	Digest toksta.Digest
}

// AttemptCount is a number of consecutive failed attempts.
type AttemptCount struct {
	AttemptName
	Count int
	At    time.Time // of the last one
}

// Browsers keeps the browsers in which members signed in, by the SHA-256 of their cookie. They
// are not in the change log.
type Browsers interface {
	// ListBrowsers returns the members who signed in with a browser.
	ListBrowsers(ctx context.Context, id toksta.Digest) ([]Browser, error)
	// PutBrowser inserts a browser or sets SeenAt, and returns the number of other browsers of
	// the member. If replaces is not zero, the browser with this id gets the id of b, for all
	// its members. Of each member it keeps only the most recently seen browsers. The error is
	// ErrNotFound if the member was erased.
	PutBrowser(ctx context.Context, b Browser, replaces toksta.Digest) (others int, err error)
	// DeleteBrowsers deletes the browsers that set selects.
	DeleteBrowsers(ctx context.Context, set BrowserSet) error
}

// Browser is a browser in which a member signed in.
type Browser struct {
	ID       toksta.Digest
	MemberID toksta.MemberID
	SeenAt   time.Time // of the last sign-in, accurate to a day
}

// BrowserSet selects browsers: those of a member, or all whose last sign-in was before a time.
type BrowserSet struct {
	Member toksta.MemberID
	ID     toksta.Digest // with Member: only this one
	Keep   toksta.Digest // with Member: except this one
	Before time.Time
}
