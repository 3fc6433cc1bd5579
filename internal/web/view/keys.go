package view

import "time"

// KeyNew is the form at /account/keys/new. It posts to /account/keys.
type KeyNew struct {
	Frame
	// Token makes a form that is sent twice create one key.
	Token, Name string
	// OnlyThese is the scope "only"; otherwise all endpoints of the plan.
	OnlyThese bool
	Families  []Family
	// Expires is "never", a number of days, or "day" for the end of Day, 2026-11-30.
	Expires, Day string
	// IPs stands in the field for allowed addresses.
	IPs string
	// Blocked is why no key can be created now; the form then only says so.
	Blocked string
	Errors  Errors
}

// Family is an endpoint family that a key may be limited to.
type Family struct {
	Name, Description string
	// Missing is why the plan lacks it; the choice is then disabled.
	Missing string
	Checked bool
}

// KeyReveal shows a secret, once: after creating or after rotating.
type KeyReveal struct {
	Frame
	ID, Name, Secret string
	Families         []string
	// Expires is zero for never.
	Expires time.Time
	// Nodes and Took say where the secret is live by now.
	Nodes int
	Took  time.Duration
	// Rotated is set when the secret replaces another one.
	Rotated bool
	APIBase string
}

// KeyAlready answers a create or rotate form that was sent a second time.
type KeyAlready struct {
	Frame
	ID, Name string
	Text     KeyText
	Created  time.Time
	Rotated  bool
}

// KeyShow is the page of one key.
type KeyShow struct {
	Frame
	ID, Name string
	Text     KeyText
	Badge    Badge
	// Reason says why the key is blocked or who revoked it.
	Reason string
	// Generation counts the key's secrets from 1; Since is when this one began.
	Generation int
	Since      time.Time
	Facts      []Fact
	Chart      Chart
	Rejections []Rejection
	// RejectedTotal counts the last 7 days.
	RejectedTotal int64
	History       History
	Ended         bool
	// UsageFailed is set when usage could not be read; the rest still shows.
	UsageFailed bool
}

// History is the changes of a key, newest first.
type History struct {
	Events []Event
	// Total counts all changes. Left of them are left out of Events, between
	// the last event, which is the first change, and the one before it.
	Total, Left int
}

// Last is the index of the last event.
func (h History) Last() int { return len(h.Events) - 1 }

// Rejection is one reason for which calls of a key were rejected lately. In What
// and Fix, `backticks` set code.
type Rejection struct {
	Status int
	// Reason is the wire spelling, or plain words in Words.
	Reason, Words string
	Times         int64
	Last          time.Time
	What, Fix     string
}

// Event is a change in a key's history.
type Event struct {
	// Kind is created, rotated, renamed, changed or revoked.
	Kind, Title, By string
	At              time.Time
	Details         []string
}

// KeyEdit is the form that renames a key. It posts to /account/keys/{id}/edit.
type KeyEdit struct {
	Frame
	ID, Name string
	// Value is what stands in the field.
	Value  string
	Errors Errors
}

// LastUse is the newest use of a key.
type LastUse struct {
	// At is zero for a key that was never used.
	At   time.Time
	From string
	// Unknown is set when usage could not be read.
	Unknown bool
}

// KeyRotate asks before a new secret replaces the old one. It posts to
// /account/keys/{id}/rotate.
type KeyRotate struct {
	Frame
	ID, Name, Token string
	// Generation is the number of the secret that Text shows: no other one is
	// replaced.
	Generation int
	Text       KeyText
	Use        LastUse
	Errors     Errors
}

// KeyRevoke asks before a key ends. It posts to /account/keys/{id}/revoke.
type KeyRevoke struct {
	Frame
	ID, Name string
	Text     KeyText
	Use      LastUse
	// Today counts calls; TodayUnknown is set when usage could not be read.
	Today        int64
	TodayUnknown bool
	// Typed is what stands in the field for the name.
	Typed  string
	Errors Errors
}

// InUse reports whether the key was used within the last day.
func (k KeyRevoke) InUse() bool {
	return !k.Use.At.IsZero() && k.Now.Sub(k.Use.At) < 24*time.Hour
}

// KeyRevoked is the result of a revocation.
type KeyRevoked struct {
	Frame
	ID, Name string
	// Nodes refused the key within Took, the slowest one's time.
	Nodes int
	Took  time.Duration
	// Fenced, as a sentence, says which node was shut out instead.
	Fenced string
	Change int64
	At     time.Time
	Use    LastUse
}
