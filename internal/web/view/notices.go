package view

import "time"

// Notices is the page of the notices to the signed-in person.
type Notices struct {
	Frame
	// Notice confirms the last form, "" for none.
	Notice string
	Items  []NoticeRow
	// Through is the id of the newest notice, with which the shown ones are marked as read.
	// Unseen is the number of shown notices that are not read.
	Through string
	Unseen  int
	// Email is the address of the mails. Mails reports whether notices are sent by mail.
	Email  string
	Mails  bool
	Topics []Topic
}

// NoticeRow is one notice. URL leads to the page about it.
type NoticeRow struct {
	Title, Detail, URL string
	At                 time.Time
	New                bool
}

// Topic is a group of notices with one switch for their mails.
type Topic struct {
	Name, Label, Help string
	On                bool
}

// Unsubscribe is the page of the link in a mail that stops the mails of a topic.
type Unsubscribe struct {
	Sheet
	Topic, Account string
	Action         string // address of the form, with the token
	Done           bool
}
