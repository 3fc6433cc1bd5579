// Package operator is the API by which the vendor manages accounts and keys:
// POST /operator/v1/<noun>/<verb>, with a JSON object as request and response.
//
// Like the account pages, it is an entry point of the change path; its operation verify is
// one of the request path. [Socket] serves it without a credential: every client that can
// open the socket is the operator. [Network] serves it to other machines, with an operator
// key in each request and a check of its roles. The response to a change contains its
// receipt. It is sent once no node decides a call by the previous state. The package only
// translates between JSON and the services.
package operator

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/events"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/operatorkeys"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/verifyapi"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config configures the API. All fields except Data, Mail, Export, Probes and Documents are
// required.
type Config struct {
	Keys         *keys.Service
	OperatorKeys *operatorkeys.Service
	Accounts     *accounts.Service
	Members      *members.Service
	SignIn       *signin.Service
	Credits      *credits.Service
	Usage        *usage.Reader
	Events       *events.Service
	Cluster      Cluster
	Catalog      *toksta.Catalog
	Mail         Mailer   // nil if no mail server is configured
	Export       Exporter // nil if no receiver of usage is configured
	Letters      *mail.Letters
	PagesURL     string // address of the account pages, where people accept invitations
	Embeds       bool   // some page may embed the keys
	Data         string // absolute path of the data directory
	Version      string
	Now          func() time.Time
	Probes       []Probe
	Verifier     *verifyapi.Verifier
	Record       func(x *exchange.Exchange) // writes the record of one call of a batch
	// Documents are served to GET requests without a credential, by path. A path that ends
	// with "/" stands for all paths below it.
	Documents map[string]http.Handler
}

// Cluster lists the nodes that changes wait for.
type Cluster interface {
	ListNodes(ctx context.Context) ([]store.Node, error)
}

// Mailer sends messages through a mail server.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Probe is one check that the server makes of itself. Run returns the result in words, or
// an error. A [Warning] is not a failure.
type Probe struct {
	Name string
	Fix  string // instruction for the operator if Run fails
	Run  func(ctx context.Context) (string, error)
}

// Warning is the error of a probe that found a risk, although everything works.
type Warning struct{ Detail, Fix string }

// Error implements error.
func (w Warning) Error() string { return w.Detail }

// server holds the endpoints.
type server struct {
	Config
	// identify returns the author of a request of the operation o, or rejects the request.
	// It does not read the body. o is nil for a request of an unknown operation.
	identify func(r *http.Request, o *Operation) (identity, error)
}

// Socket returns the handler for the Unix socket, whose clients all are the operator. They
// state a name for the audit trail.
func Socket(c Config) http.Handler {
	return server{Config: c, identify: byName}.handler()
}

// identity is the author of a request, with the author's rights.
type identity struct {
	toksta.Actor
	key toksta.OperatorGrant // on the socket with all roles and without an id
}

// identityKey is the key of an identity in a context.
type identityKey struct{}

// maxPage is the largest number of rows on one page.
const maxPage = 1000

// pageLimit returns the number of rows of a page for the requested limit.
func pageLimit(limit int) (int, error) {
	shown, _, err := pageOf(limit)
	return shown, err
}

// pageOf returns the number of rows to show for the requested limit, and the number of
// rows to read. It reads one row more than it shows, to find out whether another page
// follows.
func pageOf(limit int) (shown, asked int, err error) {
	if limit < 0 || limit > maxPage {
		return 0, 0, toksta.Invalid("limit", "Ask for 1 to 1000 rows.")
	}
	if limit == 0 {
		limit = 100
	}
	return limit, limit + 1, nil
}

// account converts an account, with its present rights, to its form in a response.
func (s server) account(a toksta.Account) client.Account {
	standing := s.Catalog.Standing(a)
	return client.Account{
		ID: a.ID, Name: a.Name, Plan: a.Plan, Status: a.Status, StatusSince: a.StatusSince,
		Cadence: a.Cadence, CycleAnchor: a.CycleAnchor, Entitlements: a.Entitlements, CreatedAt: a.CreatedAt,
		ExternalID: a.ExternalID, Metadata: a.Metadata, ClosedAt: a.ClosedAt, ErasedAt: a.ErasedAt,
		Blocked: standing.Blocked, Families: standing.Families,
		PerMinute: standing.PerMinute, PerHour: standing.PerHour, PerDay: standing.PerDay, Concurrent: standing.Concurrent,
	}
}

// key converts a key to its form in a response.
func (s server) key(k toksta.Key) client.Key {
	return client.Key{
		ID: k.ID, AccountID: k.AccountID, Name: k.Name, State: k.State(s.Now()), Preview: s.Catalog.Shape.Preview(k.Current()),
		Scopes: append([]toksta.Family{}, k.Limits.Scopes...), Networks: append([]netip.Prefix{}, k.Limits.Networks...), PerMinute: k.Limits.PerMinute,
		CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, CreatedByID: k.CreatedByID, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
		ExternalID: k.ExternalID, Metadata: k.Metadata, Generations: generations(k.Generations, s.Catalog.Shape.Preview),
	}
}

// generations converts the secrets of a key or an operator key, with their visible parts.
func generations(all []toksta.Generation, preview func(toksta.Generation) string) (out []client.Generation) {
	for _, g := range all {
		out = append(out, client.Generation{Number: g.Number, Preview: preview(g), CreatedAt: g.CreatedAt, RevokedAt: g.RevokedAt})
	}
	return out
}
