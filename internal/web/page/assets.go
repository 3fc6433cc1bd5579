// Package page renders the account pages. It has the templates, the stylesheet,
// the fonts and the one script. The data comes from package view; nothing here
// reads a store or a request.
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

// Policy is the Content-Security-Policy of every page.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; connect-src 'self'"

// AssetPrefix is the path under which Assets must be served.
const AssetPrefix = "/assets/"

// defaultHue is the declaration in the stylesheet that the hue of a brand
// replaces.
const defaultHue = "--h: 264;"

// Assets are the files of the pages. Their addresses change with their content.
type Assets struct {
	hash  string
	files map[string][]byte
}

// LoadAssets reads the files. A hue other than 0 is the brand's color; it must
// be in 190–330, where all contrasts suffice.
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

// URL returns the address of a file. The response can be cached forever.
func (a *Assets) URL(name string) string { return AssetPrefix + a.hash + "/" + name }

// ServeHTTP serves GET and HEAD under AssetPrefix. A file with an older hash in
// its address is served without caching.
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

// contentType returns the media type of a file. It has its own table, because
// the table of the system does not always have woff2.
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
