package web

import (
	"context"
	"net/http"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

type embeddedKey struct{}

// isEmbedded reports whether a request is for a page in a frame of the vendor's page.
func isEmbedded(ctx context.Context) bool { return ctx.Value(embeddedKey{}) != nil }

// home returns the path of the overview to which the requested page belongs.
func home(ctx context.Context) string { return view.Frame{Embedded: isEmbedded(ctx)}.Home() }

// keyPath returns the path of the page of a key, beside the requested page.
func keyPath(r *http.Request, id toksta.KeyID) string {
	return home(r.Context()) + "/keys/" + string(id)
}
