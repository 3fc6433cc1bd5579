package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: each banner has one next step: a button if an address is configured,
// otherwise a sentence that names the vendor. No button leads nowhere.
func TestBannerHasANextStep(t *testing.T) {
	t.Parallel()
	const billing, credits, support, shop = "https://billing.example", "https://credits.example", "https://support.example", "https://shop.example"
	standing := func(reason toksta.Reason) *toksta.Standing { return &toksta.Standing{Blocked: reason} }
	for name, c := range map[string]struct {
		standing *toksta.Standing
		lack     *usage.Shortage
		all      string // the address with every setting
		one      string // the address with support_url alone
	}{
		"canceling": {&toksta.Standing{Account: toksta.Account{Status: toksta.StatusCanceling}}, nil, plansPath, support},
		"free":      {standing(toksta.ReasonPlanFree), nil, plansPath, support},
		"closed": {
			&toksta.Standing{Blocked: toksta.ReasonPlanFree, Account: toksta.Account{ClosedAt: time.Now()}}, nil, support, support,
		},
		"past due":   {standing(toksta.ReasonBillingPastDue), nil, billing, support},
		"off":        {standing(toksta.ReasonAPIAccessDisabled), nil, support, support},
		"no credits": {standing(""), &usage.Shortage{Grant: 5, Resets: time.Now()}, credits, support},
	} {
		p := &Pages{Config: Config{Catalog: &toksta.Catalog{Plans: []toksta.Plan{{ID: "PRO"}}}, Plans: PlansPage{Shown: true}}}
		p.Brand.Product = "Skies"
		if b := p.banner(c.standing, c.lack); b == nil || b.Title == "" || b.Action != (view.Link{}) || !strings.Contains(b.Text, "contact Skies.") {
			t.Errorf("%s without an address: %+v", name, b)
		}
		p.Brand.SupportURL = support
		if b := p.banner(c.standing, c.lack); b.Action.URL != c.one || strings.Contains(b.Text, "contact") {
			t.Errorf("%s with support: %+v", name, b)
		}
		p.Brand.BillingURL, p.Brand.CreditsURL, p.Catalog.Plans[0].URL = billing, credits, shop
		if b := p.banner(c.standing, c.lack); b.Action.URL != c.all || b.Action.Text == "" {
			t.Errorf("%s with every address: %+v", name, b)
		}
	}
	if b := (&Pages{}).banner(&toksta.Standing{Account: toksta.Account{Status: toksta.StatusActive}}, nil); b != nil {
		t.Errorf("an account whose keys work has %+v", b)
	}
}

// Guarantee: a customer sees the price of a credit before the shop opens, and
// no price if the plan sells no credits.
func TestCreditPrice(t *testing.T) {
	t.Parallel()
	balance := func(*toksta.Standing, time.Time) credits.Balance { return credits.Balance{} }
	p := &Pages{money: view.MoneyIn(""), Config: Config{Usage: &usage.Reader{Balance: balance}, Brand: Brand{CreditsURL: "https://shop.example"}, Now: time.Now}}
	for micros, want := range map[int64]string{50_000: "Buy credits at $0.05", 0: "Buy credits"} {
		s := &toksta.Standing{Plan: toksta.Plan{CreditMicros: micros}}
		if got := p.credits(s, usage.Breakdown{}).Buy.Text; got != want {
			t.Errorf("at %d millionths: %q, want %q", micros, got, want)
		}
	}
}

// The source of the reasons, and the document that explains them.
const (
	reasonSource   = "../../sdk/toksta/reason.go"
	reasonDocument = "../../docs/contract.md"
)

// Guarantee: a reason that is added to the API has a code and a message, an
// explanation on the account pages and a row in the contract. A reason of no known
// key needs only the first two.
func TestEveryReasonIsExplained(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(reasonDocument)
	if err != nil {
		t.Fatal(err)
	}
	standing := &toksta.Standing{}
	fallback := toksta.ReasonSubscriptionInactive
	for _, reason := range rejectionReasons(t) {
		code := reason.Code()
		if reason != fallback && reason.Message() == fallback.Message() {
			t.Errorf("%s has no code and message: add them to Reason.rejection in %s", reason, reasonSource)
		}
		if code == toksta.CodeUnavailable || reason.Code() == toksta.CodeUnauthorized && reason != toksta.ReasonKeyRevoked && reason != toksta.ReasonKeyExpired {
			continue // of no known key
		}
		if words := wordsOf(reason, standing); reason != fallback && words.Cause == wordsOf(fallback, standing).Cause {
			t.Errorf("%s has no explanation for people: add it to wordsOf in internal/web/words.go", reason)
		}
		if code != toksta.CodeUnauthorized && !strings.Contains(string(document), "| `"+string(reason)+"` |") {
			t.Errorf("%s is not documented: add a row to docs/contract.md", reason)
		}
	}
}

// rejectionReasons returns the constants of type Reason up to the reasons of
// changes, which have no place in a decision.
func rejectionReasons(t *testing.T) []toksta.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), reasonSource, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		var out []toksta.Reason
		for _, spec := range block.Specs {
			text, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, toksta.Reason(text))
		}
		return out
	}
	t.Fatalf("%s has no constants", reasonSource)
	return nil
}
