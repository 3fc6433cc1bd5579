package view

import "time"

// Account is the page at /account.
type Account struct {
	Frame
	Banner       *Banner
	Profile      Profile
	Subscription Subscription
	Credits      Credits
	Keys         Keys
	// Usage is nil where the account has none to show.
	Usage *Usage
	// UsageFailed is set when usage could not be read; the rest still shows.
	UsageFailed bool
	State       State
}

// Profile is the card about the person signed in.
type Profile struct {
	Name, Email, SignsInWith string
}

// Subscription is the card about the plan.
type Subscription struct {
	Plan  string
	Badge Badge
	// Facts are two rows, such as Renews and Payment.
	Facts []Fact
	// Manage leads to billing; Price is the fact at its right.
	Manage Link
	Price  string
}

// Credits is the card about the balance.
type Credits struct {
	// Included is the allowance a month; 0 means that the plan has none and
	// the purchased balance is the headline.
	Included, Used, Purchased int64
	// OverageMicros is what the month's overage costs so far, in millionths of a dollar.
	OverageMicros int64
	// UsedUnknown is set when the month's usage, which Used is of a plan that
	// includes nothing, could not be read.
	UsedUnknown bool
	Resets      time.Time
	Buy         Link
	Note        string
}

// Left is what remains of the allowance, never below zero.
func (c Credits) Left() int64 { return max(0, c.Included-c.Used) }

// Keys is the section #api-keys.
type Keys struct {
	// Blocked is why no key can be created now, as a sentence; empty means one can.
	Blocked string
	// Strip are the five entitlements that the keys stand under.
	Strip []Fact
	Rows  []Key
	// Revoked counts the keys behind the toggle; Rows holds them when it is on,
	// all but the Older ones.
	Revoked, Older int
	Live, Limit    int
	// APIBase is the address of the API, for the curl line.
	APIBase string
}

// Busiest is the most calls that any row had on one day; all rows' sparklines
// are drawn to it.
func (k Keys) Busiest() (most int64) {
	for _, row := range k.Rows {
		for _, n := range row.Spark {
			most = max(most, n)
		}
	}
	return most
}

// Key is a row of the list.
type Key struct {
	ID, Name string
	Text     KeyText
	// Families is empty for a key that reaches all of the plan.
	Families  []string
	Created   time.Time
	CreatedBy string
	// LastUsed is zero for a key that was never used.
	LastUsed time.Time
	// LastDetail is the line below it: an address, or the refusals since.
	LastDetail string
	// UnusedDays, when not 0, replaces that line by a hint.
	UnusedDays int
	// UseUnknown is set when usage could not be read: neither the last use nor
	// the calls are known.
	UseUnknown bool
	Calls      int64
	// Spark are the month's calls by day.
	Spark []int64
	Badge Badge
	// Reason says why the key is blocked, or when and by whom it was revoked.
	Reason string
	// Ended marks a revoked or expired key, which has no actions.
	Ended bool
}

// State is what the account page's address carries besides its path.
type State struct {
	// Month is YYYY-MM, empty for the current one.
	Month          string
	Table, AllDays bool
	Revoked        Revoked
}

// Revoked is which revoked keys the list shows, as the address has it; "" is
// none.
type Revoked string

// An account that rotates by new keys may have thousands of old ones.
const (
	RevokedNewest Revoked = "1"
	RevokedAll    Revoked = "all"
)
