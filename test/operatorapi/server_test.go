package operatorapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail/mailtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// server is a node whose operator API is on a listener for other machines.
type server struct {
	url    string
	socket string                 // path
	secret string                 // of an operator key with the role manage
	byRole map[toksta.Role]string // secrets of operator keys with one role
	ids    map[string]string      // the texts of the server for those of the examples
}

// startServer starts a node with a mail server, a working and a broken webhook, an account on the
// free plan, and an account with an event.
func startServer(t *testing.T, alter ...func(*config.Config)) *server {
	t.Helper()
	post := mailtest.Start(t, mailtest.Options{Reject: func(to string) int {
		if strings.HasPrefix(to, "gone@") {
			return 550
		}
		return 0
	}})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(receiver.Close)
	n := apptest.Start(t, append(alter, func(c *config.Config) {
		c.Listen.Operator.Address = "127.0.0.1:0"
		c.Mail = config.Mail{Server: post.Addr, TLS: "none", From: "Acme <keys@acme.example>"}
		c.Webhooks = map[string]config.Webhook{
			"billing": {URL: receiver.URL + "/billing", Secret: signing},
			"broken":  {URL: receiver.URL + "/broken", Secret: signing, Events: []toksta.EventKind{toksta.EventRateLimitHit}},
		}
		c.Meter.FlushInterval = 50 * time.Millisecond
	})...)
	api := n.Operator()
	s := &server{url: "http://" + n.App.Addr("operator"), socket: n.Socket(), byRole: map[toksta.Role]string{}}
	for _, role := range toksta.Roles() {
		made, err := api.CreateOperatorKey(t.Context(), client.CreateOperatorKeyRequest{Name: "only " + string(role), Roles: []toksta.Role{role}})
		if err != nil {
			t.Fatal(err)
		}
		s.byRole[role] = made.Secret
	}
	s.secret = s.byRole[toksta.RoleManage]
	delete(s.byRole, toksta.RoleManage)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	s.ids = map[string]string{
		sampleEvent:              spend(t, n),
		`"2027-01"`:              today.Format(`"2006-01"`),
		`"2027-01-31T00:00:00Z"`: `"` + today.Format(time.RFC3339) + `"`,
		`"2027-02-01T00:00:00Z"`: `"` + today.AddDate(0, 0, 1).Format(time.RFC3339) + `"`,
	}
	free, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Free", Plan: "FREE", ExternalID: "crm-free"})
	if err != nil {
		t.Fatal(err)
	}
	s.ids[sampleFree] = string(free.Account.ID)
	owner, err := api.AddMember(t.Context(), client.AddMemberRequest{
		AccountRef: client.AccountRef{Account: free.Account.ID}, Email: "max@fjordlight.example", Name: "Max", Password: "a long sentence that nobody guesses",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.ids[sampleOwner] = string(owner.Member.ID)
	return s
}

// signing is the secret with which the server signs webhooks.
const signing = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="

// spend creates an account whose last credits are spent, and returns the id of its delivered event.
func spend(t *testing.T, n *apptest.Node) (event string) {
	t.Helper()
	api := n.Operator()
	made, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Spender", Plan: "API_PAYG", ExternalID: "crm-poor"})
	if err != nil {
		t.Fatal(err)
	}
	ref := client.AccountRef{Account: made.Account.ID}
	if _, err := api.TopUpCredits(t.Context(), client.PurchaseRequest{AccountRef: ref, Credits: 101, IdempotencyKey: "bought"}); err != nil {
		t.Fatal(err)
	}
	key := apptest.NewKey(t, api, made.Account.ID, "spender")
	for range 2 {
		if got := apptest.Send(t, n.URL, "POST /v1/creators/search", key.Secret); got.Status != http.StatusOK {
			t.Fatalf("the call of the spender: %d %s", got.Status, got.Body)
		}
	}
	apptest.Eventually(t, "the event is not delivered", func() bool {
		page, err := api.ListEvents(t.Context(), client.ListEventsRequest{Account: made.Account.ID, State: "delivered"})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > 0 {
			event = page.Events[0].ID
		}
		return event != ""
	})
	return event
}

// replace returns a request with the ids of the server.
func (s *server) replace(request string) string {
	for sample, id := range s.ids {
		request = strings.ReplaceAll(request, sample, id)
	}
	return request
}

// keep keeps the ids that the server chose in a response.
func (s *server) keep(t *testing.T, operation string, response []byte) {
	t.Helper()
	path := map[string][]string{
		sampleMember:      {"accounts/add-member", "member", "id"},
		sampleAccount:     {"accounts/create", "account", "id"},
		sampleInvitation:  {"members/invite", "invitation", "id"},
		sampleReservation: {"credits/reserve", "reservation", "id"},
		sampleOperatorKey: {"operator-keys/create", "key", "id"},
		sampleSecret:      {"keys/rotate", "secret"},
	}
	for sample, names := range path {
		if names[0] != operation {
			continue
		}
		var envelope struct{ Data any }
		if err := json.Unmarshal(response, &envelope); err != nil {
			t.Fatal(err)
		}
		for _, name := range names[1:] {
			members, _ := envelope.Data.(map[string]any)
			envelope.Data = members[name]
		}
		s.ids[sample] = fmt.Sprint(envelope.Data)
	}
}
