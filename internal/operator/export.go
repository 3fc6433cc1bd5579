package operator

import (
	"context"
	"io"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Exporter reports the progress of the usage export.
type Exporter interface {
	Status(ctx context.Context) (store.ExportStatus, error)
}

// exportStatus returns the progress of the usage export, which can run on another node.
func (s server) exportStatus(ctx context.Context, _ toksta.Actor, _ struct{}) (client.ExportStatus, error) {
	if s.Export == nil {
		return client.ExportStatus{}, nil
	}
	status, err := s.Export.Status(ctx)
	if err != nil {
		return client.ExportStatus{}, err
	}
	return client.ExportStatus(status), nil
}

// writeTable responds with CSV as a stream, because a table could be too large for
// memory.
func writeTable(w http.ResponseWriter, x *exchange.Exchange, write func(io.Writer) error) error {
	x.Meta.Apply(w.Header())
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	if err := write(w); err != nil {
		x.Fail(err)
		panic(http.ErrAbortHandler) // so that the client detects the incomplete response
	}
	return nil
}

// tableWriter validates the request and returns a function that writes the table.
func (s server) tableWriter(ctx context.Context, _ toksta.Actor, r client.UsageTableRequest) (func(io.Writer) error, error) {
	q := usage.TableQuery{Account: r.Account, From: r.From, To: r.To, Daily: r.Daily}
	if err := s.Usage.CheckTable(ctx, q); err != nil {
		return nil, err
	}
	return func(w io.Writer) error { return s.Usage.Table(ctx, w, q) }, nil
}
