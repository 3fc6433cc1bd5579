package operator

import (
	"context"
	"encoding/json"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// usage returns the usage report of an account, which its keys read at GET
// /v1/account/usage.
func (s server) usage(ctx context.Context, _ toksta.Actor, r client.UsageRequest) (usage.Report, error) {
	return s.Usage.Month(ctx, r.Account, r.Month)
}

// usageBy returns the usage of an account, grouped by the dimension r.By.
func (s server) usageBy(ctx context.Context, _ toksta.Actor, r client.UsageByRequest) (client.UsageTable, error) {
	from, fromErr := toksta.ValidateTime("from", r.From)
	to, toErr := toksta.ValidateTime("to", r.To)
	if err := toksta.InvalidFields(fromErr, toErr); err != nil {
		return client.UsageTable{}, err
	}
	t, err := s.Usage.GroupBy(ctx, usage.DimensionQuery{Account: r.Account, By: usage.Dimension(r.By), Month: r.Month, From: from, To: to})
	if err != nil {
		return client.UsageTable{}, err
	}
	out := client.UsageTable{By: r.By, From: t.From, To: t.To, Rows: []client.UsageRow{}, Total: usageSum(t.Total, t.Currency)}
	if !t.Currency.IsDefault() {
		out.Currency = t.Currency.Code()
	}
	for _, row := range t.Rows {
		out.Rows = append(out.Rows, client.UsageRow{Of: row.Value, Name: row.Name, UsageSum: usageSum(row.Sum, t.Currency)})
	}
	return out, nil
}

func usageSum(s usage.Sum, c toksta.Currency) client.UsageSum {
	out := client.UsageSum{Calls: s.Admitted, Refused: s.Rejected, Credits: s.Credits}
	if c.IsDefault() {
		out.Overage = json.Number(s.Overage.String())
	} else {
		out.Amount = json.Number(s.Overage.String())
	}
	return out
}
