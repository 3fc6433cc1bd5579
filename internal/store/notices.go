package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// NoticeLog reads the occasions of notices and writes the notices.
type NoticeLog interface {
	// NoticePosition returns how far notices are written.
	NoticePosition(ctx context.Context) (NoticePosition, error)
	// ChangesAfter returns changes with numbers greater than seq, the oldest first.
	ChangesAfter(ctx context.Context, seq int64, limit int) ([]toksta.Change, error)
	// KeysOfChange returns the number of keys, by account, that no later change touched.
	KeysOfChange(ctx context.Context, seq int64) (map[toksta.AccountID]int, error)
	// DatedKeys returns keys that are live at w.Now and whose date is in the window.
	DatedKeys(ctx context.Context, w KeyWindow) ([]DatedKey, error)
	// WriteNotices writes notices and, in the same transaction, moves the position. If the
	// position is no longer b.From, because another node has moved it, it writes nothing and
	// returns false. A notice whose token exists, or whose member was
	// erased, is left out.
	WriteNotices(ctx context.Context, b NoticeBatch) (written bool, err error)
}

// NoticeMails has the mails of notices until they are sent.
type NoticeMails interface {
	// ClaimNotices claims notices with a due mail, the longest due first, and counts an attempt
	// of each. Until c.Until, no other call returns these notices.
	ClaimNotices(ctx context.Context, c NoticeClaim) ([]Notice, error)
	// FinishNotice records the result of an attempt: Mail, NextAt and Outcome of result. The
	// notice claimed is as ClaimNotices returned it. If it has been claimed again since,
	// FinishNotice changes nothing and returns nil.
	FinishNotice(ctx context.Context, claimed, result Notice) error
	// CountNoticeMails counts the mails that were sent to a member about an account after
	// since.
	CountNoticeMails(ctx context.Context, box NoticeBox, since time.Time) (int, error)
	// NoticeSecret returns the secret that signs the links to unsubscribe, the same on all
	// nodes. If there is none, it stores the proposed one.
	NoticeSecret(ctx context.Context, proposed string) (string, error)
	// PruneNotices deletes the notices before the given time, read or not.
	PruneNotices(ctx context.Context, before time.Time) error
}

// NoticeReport shows operators how many mails of notices are not sent yet.
type NoticeReport interface {
	NoticeBacklog(ctx context.Context) (NoticeBacklog, error)
}

// NoticeBacklog describes the mails of notices that are to be sent.
type NoticeBacklog struct {
	Waiting  int       // all of them
	Retrying int       // of which an attempt failed
	DueAt    time.Time // when the longest due one was, or the next one will be, due; zero: none
}

// NoticePages has the notices as a member sees them.
type NoticePages interface {
	// ListNotices returns up to limit notices of the box, newest first.
	ListNotices(ctx context.Context, box NoticeBox, limit int) ([]Notice, error)
	// CountUnread counts the notices of the box that were not read.
	CountUnread(ctx context.Context, box NoticeBox) (int, error)
	// ReadNotices marks the notices of the box, up to the one with the id through, as read.
	ReadNotices(ctx context.Context, box NoticeBox, through string, at time.Time) error
	// UnmailedTopics returns the topics for which the member switched mails off.
	UnmailedTopics(ctx context.Context, box NoticeBox) ([]string, error)
	// SetTopics switches the mails of each topic on or off. Other topics keep their setting.
	SetTopics(ctx context.Context, box NoticeBox, mails map[string]bool) error
}

// NoticeBox selects the notices of a member about an account. Those about the member alone
// belong to the box of every account.
type NoticeBox struct {
	Member  toksta.MemberID
	Account toksta.AccountID
	// Without are kinds that ListNotices and CountUnread leave out.
	Without []string
}

// Notice is a message to a member about one occasion.
type Notice struct {
	ID        string // toksta.PrefixNotice and a ULID, so identifiers sort by time
	MemberID  toksta.MemberID
	AccountID toksta.AccountID // "": it is about the member alone
	Kind      string
	Seq       int64 // number of the change; 0: another occasion
	At        time.Time
	Data      json.RawMessage // its form depends on Kind; never a secret
	Token     string          // equal for the same occasion and recipient; not read back
	Address   string          // of the mail; "": the member's. With an address, no page shows the notice
	ReadAt    time.Time       // zero: not yet

	Mail     MailState
	Attempts int       // begun
	NextAt   time.Time // when the mail is due; during an attempt, when its claim ends
	TriedAt  time.Time // zero: never
	Outcome  string    // of the last attempt, for operators
}

// MailState is the state of the mail of a notice.
type MailState string

// The states of the mail of a notice.
const (
	MailNone    MailState = ""        // only the page shows the notice
	MailPending MailState = "pending" // to be sent
	MailSent    MailState = "sent"
	MailDropped MailState = "dropped" // not sent, and not tried again
)

// NoticePosition is the end of the changes and dates whose notices are written.
type NoticePosition struct {
	Seq       int64     // number of the last change
	ScannedAt time.Time // through which dates of keys were read; zero: never
}

// NoticeBatch is a set of notices with the position that it reaches.
type NoticeBatch struct {
	From, To NoticePosition // equal: the position stays, and is not compared
	Notices  []Notice
}

// NoticeClaim selects up to Limit notices whose mail is due at Now. The claim ends at Until. Both
// are times on the caller's clock.
type NoticeClaim struct {
	Now, Until time.Time
	Limit      int
}

// KeyWindow selects live keys by a date that is after After and not after Until.
type KeyWindow struct {
	Unused       bool // by the last use or, without one, the creation; otherwise by the expiry
	After, Until time.Time
	Now          time.Time
}

// DatedKey is a key with the date by which it was selected.
type DatedKey struct {
	ID        toksta.KeyID
	AccountID toksta.AccountID
	Date      time.Time
}
