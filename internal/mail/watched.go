package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
)

// Watched is a sender that logs when the mail server begins to fail and when it accepts mails again.
// Without it, the log would name a failing server only when a mail is given up: for a notice, after
// two days. Sender and Log are required. It is safe for concurrent use.
type Watched struct {
	Sender interface {
		Send(ctx context.Context, m Message) error
	}
	Log *slog.Logger

	failing atomic.Bool
}

// Send sends m by the wrapped sender. Of consecutive failures, it logs the first one. A permanent
// rejection concerns only its mail, and a cancelled attempt tells nothing about the server.
func (w *Watched) Send(ctx context.Context, m Message) error {
	err := w.Sender.Send(ctx, m)
	if errors.Is(err, ErrRejected) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	switch before := w.failing.Swap(err != nil); {
	case err != nil && !before:
		w.Log.Error("cannot send mails; trying again", "error", WithoutContent(err), "fix", "toksta mail test ADDRESS shows the response of the mail server")
	case err == nil && before:
		w.Log.Info("can send mails again")
	}
	return err
}
