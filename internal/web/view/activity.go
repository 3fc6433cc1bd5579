package view

import "time"

// Activity has the changes of an account and the sign-ins to it, newest first.
type Activity struct {
	Frame
	Rows []ActivityRow
	// Older is the address of the page with older changes, "" on the last one. Later is set if the
	// page does not begin with the newest change.
	Older string
	Later bool
}

// ActivityRow is one change.
type ActivityRow struct {
	Title, URL string
	From       string // address and browser of a member
	At         time.Time
}
