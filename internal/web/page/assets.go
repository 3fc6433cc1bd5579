// Package page draws the account pages: templates, the stylesheet, the fonts and
// the one script that makes copying easier. What to show comes from package
// view; nothing here reads a store or a request.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// Policy is the Content-Security-Policy that every page is made for.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; connect-src 'self'"

// AssetPrefix is the path that Assets must be served under.
const AssetPrefix = "/assets/"

// defaultHue is the declaration in the stylesheet that a brand's hue replaces.
const defaultHue = "--h: 264;"

// Assets are the pages' files, under an address that changes with their content.
type Assets struct {
	hash  string
	files map[string][]byte
}

// LoadAssets reads the files. A hue other than 0 brands the pages; it must lie
// in 190–330, where every contrast holds.
func LoadAssets(hue int) (*Assets, error) {
	if hue != 0 && (hue < 190 || hue > 330) {
		return nil, fmt.Errorf("hue %d is outside 190 to 330", hue)
	}
	a := &Assets{files: map[string][]byte{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if hue != 0 && path.Ext(name) == ".css" {
			data = bytes.Replace(data, []byte(defaultHue), fmt.Appendf(nil, "--h: %d;", hue), 1)
		}
		a.files[strings.TrimPrefix(name, "assets/")] = data
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		return nil
	})
	a.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return a, err
}

// URL is the address of a file, which may be kept forever.
func (a *Assets) URL(name string) string { return AssetPrefix + a.hash + "/" + name }

// ServeHTTP answers GET and HEAD under AssetPrefix. A file asked for by an older
// hash is served too, but not kept.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, AssetPrefix), "/")
	data, ok := a.files[name]
	if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if hash == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// contentType names the types itself: the system's table may lack woff2.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".svg":
		return "image/svg+xml"
	}
	return "text/plain; charset=utf-8"
}
