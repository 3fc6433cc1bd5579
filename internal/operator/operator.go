// Package operator is the API that the vendor manages accounts and keys with:
// POST /operator/v1/<noun>/<verb>, one JSON object in, one out.
//
// It stands at the start of the mutation path, beside the account pages, on
// the private listener: whoever can open its socket is the operator, so it
// asks for no credential and must never be served elsewhere. An answer to a
// change holds its receipt, and comes once no node admits a call on the state
// before. The package translates; what a change means is the services' to say.
package operator

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/events"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config is what the API is made of. All fields but Data, Mail,
// Export and Probes are required.
type Config struct {
	Keys     *keys.Service
	Accounts *accounts.Service
	Members  *signin.Service
	Credits  *credits.Service
	Usage    *usage.Reader
	Events   *events.Service
	Cluster  Cluster
	Catalog  *toksta.Catalog

	Mail       Mailer        // nil: no mail is sent
	Export     Exporter      // nil: nothing is exported
	Product    string        // as customers know it
	PagesURL   string        // where an invitation is accepted
	Invitation time.Duration // how long one is good for
	Data       string        // directory of the state, absolute
	Version    string
	Now        func() time.Time
	Probes     []Probe
}

// Cluster tells which nodes changes wait for.
type Cluster interface {
	ListNodes(ctx context.Context) ([]store.Node, error)
}

// Mailer hands messages over to a mail server.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Probe is one thing that the server can find out about itself: what it found
// in words, or what is wrong.
type Probe struct {
	Name string
	Fix  string // what to do when Run fails
	Run  func(ctx context.Context) (string, error)
}

// server holds the endpoints.
type server struct{ Config }

// New returns the API's handler.
func New(c Config) http.Handler {
	s := server{c}
	mux := http.NewServeMux()

	handle(mux, "accounts/create", s.createAccount)
	handle(mux, "accounts/list", s.listAccounts)
	handle(mux, "accounts/show", s.showAccount)
	handle(mux, "accounts/rename", s.renameAccount)
	handle(mux, "accounts/set-plan", s.setPlan)
	handle(mux, "accounts/set-status", s.setStatus)
	handle(mux, "accounts/set-entitlement", s.setEntitlement)
	handle(mux, "accounts/invite", s.invite)
	handle(mux, "accounts/add-member", s.addMember)
	handle(mux, "accounts/set-password", s.setPassword)

	handle(mux, "keys/create", s.createKey)
	handle(mux, "keys/list", s.listKeys)
	handle(mux, "keys/show", s.showKey)
	handle(mux, "keys/rename", s.renameKey)
	handle(mux, "keys/set-limits", s.setLimits)
	handle(mux, "keys/rotate", s.rotateKey)
	handle(mux, "keys/revoke", s.revokeKey)
	handle(mux, "keys/revoke-many", s.revokeKeys)
	handle(mux, "keys/import", s.importKeys)

	handle(mux, "mail/test", s.testMail)
	handle(mux, "credits/reserve", s.reserveCredits)
	handle(mux, "credits/settle", s.settleCredits)
	handle(mux, "credits/refund", s.refundCredits)
	handle(mux, "credits/top-up", s.topUpCredits)
	handle(mux, "credits/adjust", s.adjustCredits)
	handle(mux, "credits/entries", s.creditEntries)
	handle(mux, "credits/reservations", s.reservations)
	handle(mux, "credits/verify", s.verifyCredits)

	handle(mux, "events/list", s.listEvents)
	handle(mux, "events/show", s.showEvent)
	handle(mux, "events/replay", s.replayEvents)
	handle(mux, "events/test", s.testEvent)

	handle(mux, "audit", s.audit)
	handle(mux, "usage", s.usage)
	handle(mux, "export/status", s.exportStatus)
	mux.HandleFunc(client.PathPrefix+"usage/table", s.usageTable)
	handle(mux, "usage/by", s.usageBy)
	handle(mux, "nodes", s.nodes)
	handle(mux, "health", s.health)

	mux.HandleFunc("/", missing)
	return mux
}

// maxPage is the most rows of one page.
const maxPage = 1000

// pageOf returns how many rows to ask for: one more than are shown tells
// whether there are more.
func pageOf(limit int) (shown, asked int, err error) {
	if limit < 0 || limit > maxPage {
		return 0, 0, toksta.Invalid("limit", "Ask for 1 to 1000 rows.")
	}
	if limit == 0 {
		limit = 100
	}
	return limit, limit + 1, nil
}

// account is an account as the wire has it, with what its plan gives it now.
func (s server) account(a toksta.Account) client.Account {
	standing := s.Catalog.Standing(a)
	return client.Account{
		ID: a.ID, Name: a.Name, Plan: a.Plan, Status: a.Status, StatusSince: a.StatusSince,
		Cadence: a.Cadence, CycleAnchor: a.CycleAnchor, Entitlements: a.Entitlements, CreatedAt: a.CreatedAt,
		Blocked: standing.Blocked, Families: standing.Families, PerMinute: standing.PerMinute,
	}
}

// key is a key as the wire has it.
func (s server) key(k toksta.Key) client.Key {
	out := client.Key{
		ID: k.ID, AccountID: k.AccountID, Name: k.Name, State: k.State(s.Now()), Preview: s.Catalog.Shape.Preview(k.Current()),
		Scopes: append([]toksta.Family{}, k.Limits.Scopes...), Networks: append([]netip.Prefix{}, k.Limits.Networks...), PerMinute: k.Limits.PerMinute,
		CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, CreatedByID: k.CreatedByID, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
	}
	for _, g := range k.Generations {
		out.Generations = append(out.Generations, client.Generation{
			Number: g.Number, Preview: s.Catalog.Shape.Preview(g), CreatedAt: g.CreatedAt, RevokedAt: g.RevokedAt,
		})
	}
	return out
}
