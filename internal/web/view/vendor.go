package view

// VendorAsk asks a person before a link of the vendor's back end replaces the running session. It
// posts to its own address.
type VendorAsk struct {
	Sheet
	Account, Person               string // of the new session
	RunningAccount, RunningPerson string
}

// Notice is a page with a title, a sentence and at most one link. It can be in a frame.
type Notice struct {
	Sheet
	Title, Text string
	Action      Link
	// Target is the window in which the action opens, such as _blank; "": the same one.
	Target string
	// Ended is set if the session in a frame has ended. The page around the frame is notified.
	Ended bool
}
