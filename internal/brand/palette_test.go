package brand

import (
	"fmt"
	"math"
	"testing"
)

// TestContrast compares ratios with those that the definition in WCAG 2.2 gives.
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#777777", "#ffffff", 4.48},
		{"#ff0000", "#ffffff", 4.00},
		{"#ffd60a", "#000000", 14.87},
	} {
		a, _ := ParseColor(c.a)
		b, _ := ParseColor(c.b)
		if got := Contrast(a, b); math.Abs(got-c.want) > .01 || Contrast(b, a) != got {
			t.Errorf("%s on %s: %.3f, want %.2f", c.a, c.b, got, c.want)
		}
	}
}

// TestLCH converts known colors, and converts every color back to itself.
func TestLCH(t *testing.T) {
	red, _ := ParseColor("#ff0000")
	if got := red.LCH(); math.Abs(got.L-.628) > .001 || math.Abs(got.C-.2577) > .001 || math.Abs(got.H-29.23) > .05 {
		t.Errorf("#ff0000 is %v in OKLCH, want 0.628 0.2577 29.23", got)
	}
	for r := 0; r < 256; r += 15 {
		for g := 0; g < 256; g += 15 {
			for b := 0; b < 256; b += 15 {
				c, _ := ParseColor(fmt.Sprintf("#%02x%02x%02x", r, g, b))
				if back := c.LCH().Color(); back.String() != c.String() {
					t.Fatalf("%s becomes %s", c, back)
				}
			}
		}
	}
}

// TestPalette checks the contrasts of every color of the palette for accents of all hues, with
// all chromas and lightnesses.
func TestPalette(t *testing.T) {
	white := Color{1, 1, 1}
	for h := 0.0; h < 360; h += 18 {
		for _, c := range []float64{0, .03, .12, .3} {
			for l := 0.0; l <= 1; l += .125 {
				accent := LCH{l, c, h}.Color().rounded()
				p := NewPalette(accent)
				light := []Color{white, LCH{.984, .002, p.Hue}.Color(), LCH{.968, .003, p.Hue}.Color(), p.Light.Soft}
				dark := []Color{LCH{.165, .008, p.Hue}.Color(), LCH{.2, .009, p.Hue}.Color(), LCH{.235, .01, p.Hue}.Color(), p.Dark.Soft}
				for name, s := range map[string]struct {
					Scheme
					on []Color
				}{"light": {p.Light, light}, "dark": {p.Dark, dark}} {
					at := fmt.Sprintf("%s, %s", accent, name)
					atLeast(t, at+": text on a button", pair{s.Button, s.OnButton, 4.5})
					atLeast(t, at+": text on a button under the pointer", pair{s.ButtonHover, s.OnButton, 4.5})
					atLeast(t, at+": mark in a control", pair{s.Graphic, white, 3})
					if s.Button == s.ButtonHover {
						t.Errorf("%s: the button does not change under the pointer", at)
					}
					for _, b := range s.on {
						atLeast(t, at+": link", pair{s.Text, b, 4.5})
						atLeast(t, at+": bar", pair{s.Graphic, b, 3})
						atLeast(t, at+": shape of a button", pair{s.Button, b, 1.25})
					}
				}
			}
		}
	}
}

// pair is two colors that touch, with the ratio that they need.
type pair struct {
	a, b  Color
	ratio float64
}

func atLeast(t *testing.T, what string, p pair) {
	t.Helper()
	if got := Contrast(p.a, p.b); got < p.ratio {
		t.Errorf("%s: %s on %s has %.2f, want %.2f", what, p.a, p.b, got, p.ratio)
	}
}

// TestPaletteKeepsTheAccent checks that an accent with enough contrast is not changed.
func TestPaletteKeepsTheAccent(t *testing.T) {
	for _, accent := range []string{"#2b5bd1", "#7c3aed", "#e11d48", "#0f766e"} {
		c, _ := ParseColor(accent)
		p := NewPalette(c)
		if p.Light.Button.String() != accent || p.Light.Text.LCH().L > c.LCH().L+.001 {
			t.Errorf("%s became %s on buttons and %s in links", accent, p.Light.Button, p.Light.Text)
		}
	}
	yellow, _ := ParseColor("#ffd60a")
	if got := NewPalette(yellow).Dark.Button; got != yellow {
		t.Errorf("yellow became %s on a dark page", got)
	}
}
