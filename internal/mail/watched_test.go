package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/mail"
)

// Guarantee: the log names a failing mail server at the first failure, once, and its recovery. A
// mail that is rejected for its own sake, and an attempt that the program ended, are no failures of the server.
func TestWatchedSenderLogsTheServer(t *testing.T) {
	t.Parallel()
	away, log := errors.New("connection refused"), new(bytes.Buffer)
	server := &mailServer{fail: []error{fmt.Errorf("%w: no such user", mail.ErrRejected), away, away, nil, nil}, begun: time.Now()}
	w := &mail.Watched{Sender: server, Log: slog.New(slog.NewTextHandler(log, nil))}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, want := range []string{"", "cannot send mails", "", "can send mails again", ""} {
		log.Reset()
		_ = w.Send(t.Context(), mail.Message{To: "ada@example.com"})
		if got := log.String(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("after %d attempts the log has %q, want %q", len(server.attempts), got, want)
		}
	}
	log.Reset()
	server.fail = []error{context.Canceled}
	if err := w.Send(stopped, mail.Message{}); err == nil || log.Len() > 0 {
		t.Errorf("a cancelled attempt: %v, log %q", err, log)
	}
}
