// Package page renders the account pages. It has the templates, the stylesheet,
// the fonts and the one script. The data comes from package view; nothing here
// reads a store or a request.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/brand"
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

// picturePolicy is the Content-Security-Policy of pictures. An SVG that is opened
// as a page runs no script and loads no file.
const picturePolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// Assets are the files of the pages. Their addresses change with their content.
type Assets struct {
	look  brand.Look
	icon  string // name of the file that browsers show beside the title
	hash  string
	files map[string][]byte
	small map[string][]byte // text files, compressed with gzip
}

// LoadAssets reads the files and applies the look of the vendor. A hue other
// than 0 must be in 190–330, where all contrasts suffice.
func LoadAssets(look brand.Look) (*Assets, error) {
	if look.Hue != 0 && (look.Hue < 190 || look.Hue > 330) {
		return nil, fmt.Errorf("hue %d is outside 190 to 330", look.Hue)
	}
	a := &Assets{look: look, icon: "mark.svg", files: map[string][]byte{}, small: map[string][]byte{}}
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a.files[strings.TrimPrefix(name, "assets/")], err = assetFiles.ReadFile(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.applyLook()
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		fmt.Fprintf(sum, "%s %d\n", name, len(a.files[name]))
		sum.Write(a.files[name])
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return a, a.compress()
}

// compress compresses the text files once, so that no request pays for it.
func (a *Assets) compress() error {
	for name, data := range a.files {
		if strings.HasSuffix(name, ".woff2") || strings.HasSuffix(name, ".png") {
			continue // is compressed
		}
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		if err = errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		a.small[name] = b.Bytes()
	}
	return nil
}

// acceptsGzip reports whether the client accepts a gzip response (RFC 9110, section
// 12.5.3). It ignores the wildcard, which no browser sends.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		weight = strings.TrimRight(strings.TrimSpace(weight), "0")
		if strings.TrimSpace(name) == "gzip" {
			return weight != "q=" && weight != "q=0."
		}
	}
	return false
}

// applyLook adds the vendor's colors to the stylesheet, and the vendor's
// pictures to the files.
func (a *Assets) applyLook() {
	style := a.files["app.css"]
	if a.look.Hue != 0 {
		style = bytes.Replace(style, []byte(defaultHue), fmt.Appendf(nil, "--h: %d;", a.look.Hue), 1)
	}
	if own := a.look.Declarations(); own != "" {
		style = fmt.Appendf(style, "\n:root { %s }\n", own)
	}
	a.files["app.css"] = style
	if initial := a.look.Initial(); initial != "" {
		a.files["mark.svg"] = fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><rect width="24" height="24" rx="6.5" fill="#171c24"/>`+
			`<text x="12" y="17" text-anchor="middle" font-family="system-ui, sans-serif" font-size="14" font-weight="600" fill="#fff">%s</text></svg>`, template.HTMLEscapeString(initial))
	}
	for name, logo := range map[string]*brand.Logo{"logo": a.look.Logo, "logo-dark": a.look.LogoDark} {
		if logo != nil {
			a.files[name+logo.Ext] = logo.Data
		}
	}
	if logo := a.look.Logo; logo != nil && !logo.Wide() {
		a.icon = "logo" + logo.Ext
	}
}

// Icon returns the address of the picture that browsers show beside the title.
func (a *Assets) Icon() string { return a.URL(a.icon) }

// URL returns the address of a file. The response can be cached forever.
func (a *Assets) URL(name string) string { return AssetPrefix + a.hash + "/" + name }

// URLs returns the addresses of all files.
func (a *Assets) URLs() (out []string) {
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		out = append(out, a.URL(name))
	}
	return out
}

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
	if strings.HasPrefix(h.Get("Content-Type"), "image/") {
		h.Set("Content-Security-Policy", picturePolicy)
	}
	h.Set("Cache-Control", "no-cache")
	if hash == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	if small := a.small[name]; small != nil && r.Header.Get("Range") == "" && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(small)))
		data = small
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
	case ".png":
		return "image/png"
	}
	return "text/plain; charset=utf-8"
}
