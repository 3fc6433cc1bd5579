package brand

import (
	"fmt"
	"strings"
)

// The contrast ratios that WCAG 2.2 AA requires, with a margin for the rounding of browsers.
const (
	textRatio    = 4.6 // of text, required: 4.5
	graphicRatio = 3.1 // of controls and figures, required: 3
	shapeRatio   = 1.3 // of a filled button, which its text identifies; nothing is required
)

const (
	whiteShift        = .08 // the greatest change of lightness that keeps white text on a button
	darkTextLightness = .7  // the least lightness of links on dark pages
	step              = .002
)

// Scheme has the colors that follow from an accent, for light or for dark pages.
type Scheme struct {
	Button, ButtonHover, OnButton Color // fill of a primary button, under the pointer; its text
	Graphic                       Color // bars, charts, checked controls; marks on it are white
	Text                          Color // links, focus rings
	Soft, Mute                    Color // background and border of a notice
}

// Palette has the colors of a brand.
type Palette struct {
	Hue         float64 // of the neutral colors, in degrees
	Light, Dark Scheme
}

// grayChroma is the chroma below which a color has no hue that people see.
const grayChroma = 0.02

// defaultHue is the hue of the neutral colors beside a gray accent.
const defaultHue = 264

// NewPalette computes a palette from any accent. Each color is as near to the accent as its
// contrast allows: only the lightness is moved, and the chroma reduced where sRGB has less.
func NewPalette(accent Color) Palette {
	base := accent.LCH()
	p := Palette{Hue: base.H}
	if base.C < grayChroma {
		p.Hue, base.C = defaultHue, 0
	}
	p.Light = p.scheme(base, pages{
		canvas: LCH{.984, .002, p.Hue}, inset: LCH{.968, .003, p.Hue},
		soft: LCH{.962, min(.016, base.C), base.H}, mute: LCH{.86, min(.06, base.C), base.H}, away: -1,
	})
	p.Dark = p.scheme(base, pages{
		canvas: LCH{.165, .008, p.Hue}, inset: LCH{.235, .01, p.Hue},
		soft: LCH{.27, min(.05, base.C), base.H}, mute: LCH{.38, min(.09, base.C), base.H}, away: 1,
	})
	return p
}

// pages has the neutral colors of a scheme, as the stylesheet defines them, and the colors of
// notices. The canvas and the inset are the extremes of the backgrounds.
type pages struct {
	canvas, inset, soft, mute LCH
	away                      float64 // direction of the lightness that raises the contrast: -1 or 1
}

// scheme computes the colors on the pages of a scheme.
func (p Palette) scheme(base LCH, on pages) Scheme {
	white := Color{1, 1, 1}
	backgrounds := []Color{on.canvas.Color(), on.inset.Color(), on.soft.Color()}
	if on.away < 0 {
		backgrounds = append(backgrounds, white)
	}
	all := func(ratio float64, others ...Color) func(Color) bool {
		return func(c Color) bool {
			for _, b := range append(others, backgrounds...) {
				if Contrast(c, b) < ratio {
					return false
				}
			}
			return true
		}
	}
	s := Scheme{Soft: on.soft.Color().rounded(), Mute: on.mute.Color().rounded()}
	text := base
	if on.away > 0 {
		text.L = max(text.L, darkTextLightness)
	}
	s.Text = move(text, on.away, all(textRatio))
	s.Graphic = nearest(base, all(graphicRatio, white))
	s.Button, s.OnButton = button(nearest(base, all(shapeRatio)).LCH())
	s.ButtonHover = hover(s.Button.LCH(), s.OnButton)
	return s
}

// ink is the dark text on a light button.
func ink() Color { return LCH{.16, .01, defaultHue}.Color().rounded() }

// button returns a fill near c, and the color of its text: white if a fill that is at most
// whiteShift darker makes it legible, otherwise dark.
func button(c LCH) (fill, text Color) {
	legible := func(text Color) func(Color) bool {
		return func(f Color) bool { return Contrast(f, text) >= textRatio }
	}
	white := Color{1, 1, 1}
	if fill = move(c, -1, legible(white)); fill.LCH().L >= c.L-whiteShift {
		return fill, white
	}
	return move(c, 1, legible(ink())), ink()
}

// hover returns the fill of a button under the pointer. It moves away from the text, or toward
// it if there is no lightness left.
func hover(c LCH, text Color) Color {
	away, legible := 1.0, func(f Color) bool { return Contrast(f, text) >= textRatio }
	if text.luminance() > .5 {
		away = -1
	}
	const shift = .055
	c.L += away * shift
	switch {
	case c.L < .1:
		c.L = .28
	case c.L > .99:
		c.L -= 2 * shift
	}
	return nearest(c, legible)
}

// move returns the first color that fits when the lightness of c moves in one direction, or the
// last one, which is black or white.
func move(c LCH, direction float64, fits func(Color) bool) Color {
	for {
		out := c.Color().rounded()
		if fits(out) || direction < 0 && c.L <= 0 || direction > 0 && c.L >= 1 {
			return out
		}
		c.L = min(max(c.L+direction*step, 0), 1)
	}
}

// nearest returns the color that fits with the smallest change of the lightness of c.
func nearest(c LCH, fits func(Color) bool) Color {
	for change := 0.0; change <= 1; change += step {
		for _, l := range []float64{c.L - change, c.L + change} {
			out := LCH{min(max(l, 0), 1), c.C, c.H}.Color().rounded()
			if fits(out) {
				return out
			}
		}
	}
	return c.Color().rounded()
}

// Declarations returns the custom properties of the palette, for the stylesheet's root.
func (p Palette) Declarations() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--h: %.1f;", p.Hue)
	for _, v := range []struct {
		name        string
		light, dark Color
	}{
		{"accent", p.Light.Button, p.Dark.Button},
		{"accent-hover", p.Light.ButtonHover, p.Dark.ButtonHover},
		{"on-accent", p.Light.OnButton, p.Dark.OnButton},
		{"accent-graphic", p.Light.Graphic, p.Dark.Graphic},
		{"accent-text", p.Light.Text, p.Dark.Text},
		{"accent-soft", p.Light.Soft, p.Dark.Soft},
		{"accent-mute", p.Light.Mute, p.Dark.Mute},
	} {
		fmt.Fprintf(&b, " --%s: light-dark(%s, %s);", v.name, v.light, v.dark)
	}
	return b.String()
}
