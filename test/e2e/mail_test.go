package e2e

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail/mailtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an operator can test mail. The test mail uses the server's settings, an error
// contains the mail server's response, and a server without a mail server reports that.
func TestMail(t *testing.T) {
	reject := func(to string) int {
		if strings.HasPrefix(to, "gone@") {
			return 550
		}
		return 0
	}
	server := mailtest.Start(t, mailtest.Options{Reject: reject})
	n := apptest.Start(t, func(c *config.Config) {
		c.Mail = config.Mail{Server: server.Addr, TLS: "none", From: "Acme <keys@acme.example>"}
	})
	api := client.New(n.Socket())
	if err := api.TestMail(t.Context(), client.TestMailRequest{To: "ada@customer.example"}); err != nil {
		t.Fatal(err)
	}
	if mails := server.Mails(); len(mails) != 1 || mails[0].To != "ada@customer.example" || mails[0].From != "keys@acme.example" {
		t.Errorf("arrived: %+v", mails)
	}
	err := api.TestMail(t.Context(), client.TestMailRequest{To: "gone@customer.example"})
	if toksta.ErrorCode(err) != toksta.CodeUpstreamError || !strings.Contains(err.Error(), "550") {
		t.Errorf("rejected by the mail server: %v", err)
	}

	without := client.New(apptest.Start(t).Socket())
	if err := without.TestMail(t.Context(), client.TestMailRequest{To: "ada@customer.example"}); toksta.ErrorCode(err) != toksta.CodeConflict {
		t.Errorf("without a mail server: %v", err)
	}
	for want, api := range map[string]*client.Client{"the server accepts mail": api, "off: mail.server is empty": without} {
		health, err := api.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, c := range health.Checks {
			if c.Name == "mail" && c.Level == client.LevelOK {
				found = c.Detail
			}
		}
		if !strings.Contains(found, want) {
			t.Errorf("the doctor says %q of mail, want %q", found, want)
		}
	}
}
