package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strconv"
	"strings"
)

// MaxLogo bounds a logo, in bytes. Every page loads it.
const MaxLogo = 256 << 10

// Logo is a checked picture.
type Logo struct {
	Data  []byte
	Ext   string  // ".svg" or ".png"
	Ratio float64 // width divided by height
}

// wideRatio is the ratio from which a logo is taken for one that contains the product's name.
const wideRatio = 1.5

// Wide reports whether the logo contains the name of the product, as its shape shows. A square
// logo stands beside the name.
func (l *Logo) Wide() bool { return l.Ratio >= wideRatio }

// ParseLogo checks a picture. It accepts PNG, and SVG without scripts and without references to
// other files. The pages load it as an image, in which a browser runs nothing; the check also
// protects a person who opens its address.
func ParseLogo(data []byte) (*Logo, error) {
	if len(data) > MaxLogo {
		return nil, fmt.Errorf("the picture has %d bytes, at most %d are allowed", len(data), MaxLogo)
	}
	if bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) {
		size, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read the PNG picture: %w", err)
		}
		const maxSide = 4096
		if size.Width > maxSide || size.Height > maxSide {
			return nil, fmt.Errorf("the picture has %d × %d pixels, at most %d are allowed for a side", size.Width, size.Height, maxSide)
		}
		return &Logo{data, ".png", float64(size.Width) / float64(size.Height)}, nil
	}
	ratio, err := checkSVG(data)
	if err != nil {
		return nil, err
	}
	return &Logo{data, ".svg", ratio}, nil
}

// checkSVG returns the ratio of an SVG document. It returns an error for an element, an attribute
// or a declaration that could run a script or load another file.
func checkSVG(data []byte) (ratio float64, err error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	root, depth, style := xml.StartElement{}, 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("the file is neither PNG nor SVG: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				root = t.Copy()
			}
			depth++
			if err := checkElement(t); err != nil {
				return 0, err
			}
			if t.Name.Local == "style" {
				style++
			}
		case xml.EndElement:
			depth--
			if t.Name.Local == "style" {
				style--
			}
		case xml.CharData:
			if style > 0 && refersOutside(string(t)) {
				return 0, errors.New("a style of the SVG loads another file")
			}
		case xml.Directive:
			return 0, errors.New("the SVG has a document type: remove the line with DOCTYPE")
		case xml.ProcInst:
			if t.Target != "xml" {
				return 0, fmt.Errorf("the SVG has the processing instruction %q: remove it", t.Target)
			}
		}
	}
	if root.Name.Local != "svg" || root.Name.Space != "http://www.w3.org/2000/svg" {
		return 0, errors.New(`the file is neither PNG nor SVG: the first element of an SVG is svg, of http://www.w3.org/2000/svg`)
	}
	return svgRatio(root)
}

// checkElement rejects an element that is active, or that refers to another file.
func checkElement(e xml.StartElement) error {
	switch strings.ToLower(e.Name.Local) {
	case "script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler", "listener":
		return fmt.Errorf("the SVG has the element %s: export it without scripts and embedded documents", e.Name.Local)
	}
	for _, a := range e.Attr {
		name, value := strings.ToLower(a.Name.Local), strings.ToLower(strings.TrimSpace(a.Value))
		switch {
		case strings.HasPrefix(name, "on"):
			return fmt.Errorf("the SVG has the attribute %s: export it without scripts", a.Name.Local)
		case name == "href" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/png") && !strings.HasPrefix(value, "data:image/jpeg"):
			return errors.New("a link of the SVG refers outside of the file: embed the picture, or remove the link")
		case a.Name.Space != "xmlns" && name != "xmlns" && refersOutside(value):
			return fmt.Errorf("the attribute %s of the SVG loads another file", a.Name.Local)
		}
	}
	return nil
}

// refersOutside reports whether CSS refers to something else than an element of its document. A
// backslash could hide the reference.
func refersOutside(css string) bool {
	css = strings.ToLower(css)
	if strings.ContainsAny(css, "\\") || strings.Contains(css, "@import") || strings.Contains(css, "javascript:") {
		return true
	}
	for _, after := range strings.Split(css, "url(")[1:] {
		if !strings.HasPrefix(strings.TrimLeft(after, " \t\r\n\"'"), "#") {
			return true
		}
	}
	return false
}

// svgRatio returns the ratio of the sides of an SVG: of its viewBox, or of its width and height.
func svgRatio(root xml.StartElement) (float64, error) {
	values := map[string]string{}
	for _, a := range root.Attr {
		values[a.Name.Local] = a.Value
	}
	sides := strings.FieldsFunc(values["viewBox"], func(r rune) bool { return r == ' ' || r == ',' })
	if len(sides) != 4 {
		sides = []string{"0", "0", strings.TrimSuffix(values["width"], "px"), strings.TrimSuffix(values["height"], "px")}
	}
	width, errWidth := strconv.ParseFloat(sides[2], 64)
	height, errHeight := strconv.ParseFloat(sides[3], 64)
	if errWidth != nil || errHeight != nil || width <= 0 || height <= 0 {
		return 0, errors.New(`the SVG has no size: add viewBox="0 0 WIDTH HEIGHT" to its element svg`)
	}
	return width / height, nil
}
