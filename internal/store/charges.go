package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Charges reads what accounts were charged, for nodes that spend the same
// credits side by side.
type Charges interface {
	// ChargesBy sums each span, all as of one moment for each account, in the
	// order of the spans. It leaves out what epochs that begin with except
	// charged from the later of Cycle and Own on, nothing if except is "". It
	// reads those accounts' hours alone.
	ChargesBy(ctx context.Context, except string, spans []ChargeSpan) ([]Charged, error)
}

// ChargeSpan selects hours of one account, [From, To). Of those before Cycle
// only the purchased credits are summed. A zero To has no end.
type ChargeSpan struct {
	Account              toksta.AccountID
	Cycle, Own, From, To time.Time
}

// Charged is what was charged in a span, and is held now, whatever the span.
type Charged struct {
	CreditUse
	// Entries is the length of the account's ledger. While it stays the same,
	// no reservation was settled or refunded, in whichever hour.
	Entries int64
}
