package view

import "time"

// Account is the overview at /account.
type Account struct {
	Frame
	Banner *Banner
	// Alert is the newest notice that the person must see.
	Alert *Banner
	// Unverified is the address that the signed-in person must confirm, "" for none.
	Unverified   string
	Profile      Profile
	Subscription Subscription
	Credits      Credits
	Keys         Keys
	// Usage is nil if there is none to show.
	Usage *Usage
	// UsageFailed is set if usage could not be read. The other sections are
	// shown.
	UsageFailed bool
	State       State
}

// Profile is the card about the signed-in person.
type Profile struct {
	Name, Email, SignedInWith string
	// Bound is set for a session that the vendor's back end created. It shows no address.
	Bound bool
}

// Subscription is the card about the plan.
type Subscription struct {
	Plan  string
	Badge Badge
	// Facts are rows such as Billing and Since.
	Facts []Fact
	// Manage is the link to billing, Plans the one to the page of plans. Price is shown
	// beside them.
	Manage, Plans Link
	Price         string
}

// Credits is the card about the balance.
type Credits struct {
	// Included is the number of included credits of a month. If it is 0, the
	// plan has none, and the card shows Purchased first.
	Included, Used, Purchased int64
	// OverageMicros is the price of the month's overage so far, in
	// millionths of the currency's unit.
	OverageMicros int64
	// UsedUnknown is set if Used could not be read. On a plan without included
	// credits, Used is the usage of the month.
	UsedUnknown bool
	Resets      time.Time
	Buy         Link
	Note        string
}

// Left returns the included credits that are not used, at least 0.
func (c Credits) Left() int64 { return max(0, c.Included-c.Used) }

// Keys is the section #api-keys.
type Keys struct {
	// Blocked is a sentence why no key can be created now, "" if one can be
	// created.
	Blocked string
	// Strip has the entitlements that apply to all keys.
	Strip []Fact
	Rows  []Key
	// Ended is the number of revoked and expired keys, EndedNoun a word for
	// them. Older is the number of those that are not in Rows, if some are.
	Ended, Older int
	EndedNoun    string
	// Folded is the number of live keys that are not in Rows.
	Folded      int
	Live, Limit int
	// Query is the text of a search, "" for none. Found is the number of keys that it
	// matches. Searchable shows the field of the search.
	Query      string
	Found      int
	Searchable bool
	// ExampleURL is the address of the call in the curl line.
	ExampleURL string
}

// Busiest returns the most calls that any key had on one day, to which all
// sparklines are scaled.
func (k Keys) Busiest() (most int64) {
	for _, row := range k.Rows {
		for _, n := range row.Spark {
			most = max(most, n)
		}
	}
	return most
}

// Key is one row of the list.
type Key struct {
	ID, Name string
	Text     KeyText
	// Families is empty for a key that reaches all families of the plan.
	Families  []string
	Created   time.Time
	CreatedBy string
	// LastUsed is zero if the key has never been used.
	LastUsed time.Time
	// LastDetail is the line below the last use: the address of the client.
	LastDetail string
	// UnusedDays, if not 0, is shown as a hint in place of LastDetail.
	UnusedDays int
	// UseUnknown is set if usage could not be read, so that the last use and
	// the calls are not known.
	UseUnknown bool
	Calls      int64
	// Spark has the calls of the month by day.
	Spark []int64
	Badge Badge
	// Reason explains the badge of a key that is not live.
	Reason string
	// Ended is set for a revoked or expired key, which has no actions.
	Ended bool
}

// State has the choices of a person on the overview. The address has them as
// its query.
type State struct {
	// Home is the path of the overview, "" for AccountHome.
	Home string
	// Month has the form YYYY-MM, "" for the current month.
	Month          string
	Table, AllDays bool
	Ended          Ended
	// AllKeys shows all live keys. Query is the text of a search for keys.
	AllKeys bool
	Query   string
}

// Ended selects the revoked and expired keys in the list. Its text is part of the
// address; "" selects none.
type Ended string

// The values of Ended. An account can have thousands of revoked keys.
const (
	EndedNewest Ended = "1"
	EndedAll    Ended = "all"
)
