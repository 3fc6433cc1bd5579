package store

import (
	"context"
	"time"

	"github.com/toksta/toksta"
)

// Charges reads what accounts were charged, for nodes that spend the same
// credits side by side.
type Charges interface {
	// ChargesBy sums each span over the epochs that do not begin with except
	// (not ""), in the order of the spans. It reads those accounts' hours alone.
	ChargesBy(ctx context.Context, except string, spans []ChargeSpan) ([]CreditUse, error)
}

// ChargeSpan selects hours of one account, [From, To). Of those before Cycle
// only the purchased credits are summed. A zero To has no end.
type ChargeSpan struct {
	Account         toksta.AccountID
	Cycle, From, To time.Time
}
