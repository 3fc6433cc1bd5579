package operator

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// revokeKeys revokes several keys. One invalid digest rejects the whole request:
// otherwise a typing error in a list of leaked keys would leave a key live unnoticed.
func (s server) revokeKeys(ctx context.Context, by toksta.Actor, r client.RevokeManyRequest) (client.KeysResponse, error) {
	createdBy, err := s.memberID(ctx, r.CreatedBy)
	if err != nil {
		return client.KeysResponse{}, err
	}
	selection := keys.Selection{
		Account: r.Account, CreatedBy: createdBy, CreatedBefore: r.CreatedBefore, IDs: r.Keys, SkipUnknown: r.SkipUnknown,
	}
	var invalid []error
	for i, text := range r.Digests {
		digest, err := toksta.ParseDigest(text)
		if err != nil {
			invalid = append(invalid, toksta.Invalid(fmt.Sprintf("digests[%d]", i), err.Error()+"."))
		}
		selection.Digests = append(selection.Digests, digest)
	}
	if err := toksta.InvalidFields(invalid...); err != nil {
		return client.KeysResponse{}, err
	}
	revoked, err := s.Keys.RevokeMany(ctx, by, keys.RevokeManyRequest{Selection: selection, DryRun: r.DryRun})
	if err != nil {
		return client.KeysResponse{}, err
	}
	out := client.KeysResponse{Keys: []client.Key{}, Unknown: revoked.Unknown, Receipt: client.NewReceipt(revoked.Receipt)}
	for _, k := range revoked.Keys {
		out.Keys = append(out.Keys, s.key(k))
	}
	return out, nil
}

// importKeys rejects rows with an invalid digest and imports the others. Rejected rows
// have the number of their position in the request.
func (s server) importKeys(ctx context.Context, by toksta.Actor, r client.ImportRequest) (client.ImportResponse, error) {
	out := client.ImportResponse{Rejected: []client.Rejected{}, Receipt: client.NewReceipt(toksta.Receipt{})}
	request := keys.ImportRequest{DryRun: r.DryRun, Token: r.Token}
	from := make([]int, 0, len(r.Rows)) // index in r.Rows of each row passed on
	for i, row := range r.Rows {
		digest, err := toksta.ParseDigest(row.Digest)
		if err != nil {
			out.Rejected = append(out.Rejected, client.Rejected{Row: i, Reason: err.Error()})
			continue
		}
		from = append(from, i)
		request.Rows = append(request.Rows, keys.ImportRow{
			Digest: digest, Account: row.Account, Name: row.Name, Scopes: row.Scopes,
			Start: row.Start, End: row.End, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
			ExternalID: row.ExternalID, Metadata: row.Metadata,
		})
	}
	if len(request.Rows) == 0 && len(r.Rows) > 0 {
		return out, nil
	}
	imported, err := s.Keys.Import(ctx, by, request)
	if err != nil {
		return client.ImportResponse{}, err
	}
	for i, result := range imported.Results {
		if result.State == keys.RowInvalid {
			out.Rejected = append(out.Rejected, client.Rejected{Row: from[i], Reason: result.Reason})
		}
	}
	out.Imported, out.Existing = imported.Counts[keys.RowImported], imported.Counts[keys.RowExists]
	out.Receipt = client.NewReceipt(imported.Receipt)
	return out, nil
}
