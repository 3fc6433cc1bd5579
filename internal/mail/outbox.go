package mail

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxKept is the number of mails that an Outbox keeps.
const maxKept = 100

// Outbox keeps the last mails in memory instead of sending them. The demo shows them on a page.
// Its zero value is ready, and it is safe for concurrent use.
type Outbox struct {
	mu   sync.Mutex
	kept []Kept // the oldest first
	last int    // number of the newest mail
}

// Kept is a mail in an Outbox.
type Kept struct {
	Number int // counts from 1
	At     time.Time
	Message
}

// Send keeps m. It returns no errors.
func (o *Outbox) Send(_ context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	if len(o.kept) == maxKept {
		o.kept = slices.Delete(o.kept, 0, 1)
	}
	o.kept = append(o.kept, Kept{Number: o.last, At: time.Now(), Message: m})
	return nil
}

// List returns the kept mails, the newest first.
func (o *Outbox) List() []Kept {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := slices.Clone(o.kept)
	slices.Reverse(out)
	return out
}

// Find returns the mail with a number; ok is false if it is not kept.
func (o *Outbox) Find(number int) (m Kept, ok bool) {
	for _, m := range o.List() {
		if m.Number == number {
			return m, true
		}
	}
	return Kept{}, false
}
