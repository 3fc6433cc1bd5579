package view

import "time"

// KeyNew is the form at /account/keys/new, which posts to /account/keys.
type KeyNew struct {
	Frame
	// Token makes a form that is sent twice create one key.
	Token, Name string
	// OnlyThese limits the key to the checked families. Otherwise it reaches
	// all of the plan.
	OnlyThese bool
	Families  []Family
	// Expires is "never", a number of days, or "day" for the end of Day, such
	// as 2026-11-30.
	Expires, Day string
	// IPs is the text of the field for allowed addresses.
	IPs string
	// Blocked is a sentence why no key can be created now. If it is set, the
	// form is left out.
	Blocked string
	Errors  Errors
}

// Family is an endpoint family to which a key can be limited.
type Family struct {
	Name, Description string
	// Missing is a sentence why the plan lacks the family. If it is set, the
	// choice is disabled.
	Missing string
	Checked bool
}

// KeyReveal shows a new secret once, after creating or rotating a key.
type KeyReveal struct {
	Frame
	ID, Name, Secret string
	Families         []string
	// Expires is zero for never.
	Expires time.Time
	// Nodes and Took are the number of nodes that admit the secret, and the
	// time until they did.
	Nodes int
	Took  time.Duration
	// Rotated is set if the secret replaces another one.
	Rotated    bool
	ExampleURL string
}

// KeyAlready is the page of a secret that was shown before.
type KeyAlready struct {
	Frame
	ID, Name string
	Text     KeyText
	Created  time.Time
	Rotated  bool
	// Again is set if the form that makes the secret was sent a second time.
	Again bool
	// Ended is set for a revoked or expired key, which cannot be rotated.
	Ended bool
}

// KeyShow is the page of one key.
type KeyShow struct {
	Frame
	ID, Name string
	Text     KeyText
	Badge    Badge
	// Reason explains the badge of a key that is not live.
	Reason string
	// Generation is the number of the current secret, Since the time of its
	// creation.
	Generation int
	Since      time.Time
	Facts      []Fact
	Chart      Chart
	Rejections []Rejection
	// RejectedTotal is the number of rejections of the last 7 days.
	RejectedTotal int64
	History       History
	Ended         bool
	// UsageFailed is set if usage could not be read. The rest is shown.
	UsageFailed bool
}

// History has the changes of a key, newest first.
type History struct {
	Events []Event
	// Total is the number of all changes. Left is the number of changes that are
	// not in Events. They were made between the shown newest changes and the
	// first change, which is the last event.
	Total, Left int
}

// Last returns the index of the last event.
func (h History) Last() int { return len(h.Events) - 1 }

// Rejection explains one reason for which calls of a key were rejected
// recently. In Cause and Fix, `backticks` mark code.
type Rejection struct {
	Status int
	// Reason is the name in responses. If it is empty, Words is shown instead.
	Reason, Words string
	Times         int64
	// Last is the start of the hour of the last rejection.
	Last       time.Time
	Cause, Fix string
	// Endpoints are the rejected routes, such as "GET /v1/jobs/{id}". MoreEndpoints is the
	// number of those that are left out.
	Endpoints     []string
	MoreEndpoints int
}

// Event is a change in the history of a key.
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
	// Value is the text of the field.
	Value  string
	Errors Errors
}

// LastUse is the newest use of a key.
type LastUse struct {
	// At is zero if the key has never been used.
	At   time.Time
	From string
	// Unknown is set if usage could not be read.
	Unknown bool
}

// KeyRotate is the confirmation before a rotation. It posts to
// /account/keys/{id}/rotate.
type KeyRotate struct {
	Frame
	ID, Name, Token string
	// Generation is the number of the secret in Text. The form replaces no other
	// secret.
	Generation int
	Text       KeyText
	Use        LastUse
	Errors     Errors
}

// KeyRevoke is the confirmation before a revocation. It posts to
// /account/keys/{id}/revoke.
type KeyRevoke struct {
	Frame
	ID, Name string
	Text     KeyText
	Use      LastUse
	// Today is the number of calls since midnight UTC; TodayUnknown is set if
	// usage could not be read.
	Today        int64
	TodayUnknown bool
	// Typed is the text of the field for the name.
	Typed  string
	Errors Errors
}

// InUse reports whether the key was used within the last day.
func (k KeyRevoke) InUse() bool {
	return !k.Use.At.IsZero() && k.Now.Sub(k.Use.At) < 24*time.Hour
}

// KeyRevoked is the response to a revocation.
type KeyRevoked struct {
	Frame
	ID, Name string
	// Nodes is the number of nodes that rejected the key within Took, the time of
	// the slowest node. 0: not known.
	Nodes int
	Took  time.Duration
	// Fenced is a sentence about the nodes that were fenced, "" if all nodes
	// confirmed.
	Fenced string
	Change int64
	At     time.Time
	Use    LastUse
}
