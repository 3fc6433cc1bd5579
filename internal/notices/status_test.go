package notices

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the status shows changes without notices, and mails that wait or failed. The stored outcome of an
// attempt is without the address that the mail server states.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status := func(want Status) {
		t.Helper()
		got, err := w.Status(t.Context())
		if err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	status(Status{})
	k := key("key_1")
	k.CreatedAt = time.Now() // as the change: it is not unused
	w.createKey(by("ann"), k)
	change, err := w.db.ChangesAfter(t.Context(), 1, 1)
	if err != nil || len(change) != 1 {
		t.Fatal(change, err)
	}
	w.clock.at = change[0].At.Add(time.Hour)
	status(Status{Behind: time.Hour})
	if err := w.followAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.add(10 * time.Minute)
	status(Status{Waiting: 3, Overdue: 10 * time.Minute})

	greylisted := &gomail.SendError{Reason: gomail.ErrSMTPRcptTo}
	w.box.fail(fmt.Errorf("send: %w: 450 for dan@customer.example", greylisted))
	w.pass()
	status(Status{Waiting: 3, Retrying: 3})
	all, err := w.db.ListNotices(t.Context(), boxOf("dan"), 1)
	if err != nil || len(all) != 1 || strings.Contains(all[0].Outcome, "@") || all[0].Outcome == "" {
		t.Errorf("%+v, %v", all, err)
	}
	w.box.fail(nil)
	w.clock.add(time.Hour)
	w.pass()
	status(Status{})

	w.box.fail(errors.New("down"))
	w.commit(by("ann"), store.Mutation{Kind: toksta.ChangeKeyRotated, AccountID: "acct_a", KeyID: "key_1"})
	w.pass()
	w.config.Sender = nil
	status(Status{}) // mails of an earlier configuration
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Status(ended); err == nil {
		t.Error("no error without the database")
	}
}
