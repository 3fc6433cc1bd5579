package usage

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// outcomeAdmitted is the outcome of admitted calls; rejected calls have their reason.
const outcomeAdmitted = "admitted"

// CSV writes the usage of an account in a month as a table, one row for each combination of day,
// key, family, cost key and outcome: "admitted" or the reason of the rejection. Money has a
// decimal point and no symbol, days are UTC. If the month cannot be read, it returns the error before the
// first byte. A later error comes from the writer.
func (r *Reader) CSV(ctx context.Context, w io.Writer, account toksta.AccountID, month string) error {
	u, err := r.loadMonth(ctx, account, "", month)
	if err != nil {
		return err
	}
	keys, err := r.readKeys(ctx, account, u.rows)
	if err != nil {
		return err
	}
	names := keyNames(keys)
	out := csv.NewWriter(w)
	header, amount := amountColumns(r.Catalog.Currency)
	_ = out.Write(append([]string{"day", "key_id", "key_name", "family", "cost_key", "outcome", "calls", "credits"}, header...))
	for _, row := range u.rows {
		_ = out.Write(append([]string{
			time.Unix(row.Hour*3600, 0).UTC().Format(time.DateOnly),
			string(row.KeyID), escapeFormula(names[row.KeyID]), string(row.Family), row.CostKey, outcome(row.Reason),
			strconv.FormatInt(row.Calls, 10), strconv.FormatInt(row.Charge.Credits, 10),
		}, amount(row.Charge.OverageMicros)...))
	}
	out.Flush()
	return out.Error()
}

// escapeFormula returns a name that a spreadsheet does not run as a formula.
func escapeFormula(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}
