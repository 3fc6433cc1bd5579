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

// outcomeAdmitted stands where a refused row has its reason.
const outcomeAdmitted = "admitted"

// CSV writes an account's month as a table, one row for each day, key, family,
// cost key and outcome: "admitted", or the reason of the refusal. Money is in
// dollars with a point, days are UTC. It returns before the first byte when the
// month cannot be read; a later error is the writer's.
func (r *Reader) CSV(ctx context.Context, w io.Writer, account toksta.AccountID, month string) error {
	l, err := r.load(ctx, account, "", month)
	if err != nil {
		return err
	}
	keys, err := r.keys(ctx, account)
	if err != nil {
		return err
	}
	names := keyNames(keys)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"day", "key_id", "key_name", "family", "cost_key", "outcome", "calls", "credits", "overage_usd"})
	for _, row := range l.rows {
		_ = out.Write([]string{
			time.Unix(row.Hour*3600, 0).UTC().Format(time.DateOnly),
			string(row.KeyID), inert(names[row.KeyID]), string(row.Family), row.CostKey, outcome(row.Reason),
			strconv.FormatInt(row.Calls, 10), strconv.FormatInt(row.Charge.Credits, 10),
			Dollars(row.Charge.OverageMicros).String(),
		})
	}
	out.Flush()
	return out.Error()
}

// inert keeps a name that people chose from being run as a formula when a
// spreadsheet opens the file.
func inert(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}
