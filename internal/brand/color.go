package brand

import (
	"fmt"
	"math"
	"strconv"
)

// Color is an opaque color in sRGB. Each channel is from 0 to 1.
type Color struct{ R, G, B float64 }

// ParseColor parses "#rrggbb".
func ParseColor(s string) (Color, error) {
	if len(s) != 7 || s[0] != '#' {
		return Color{}, fmt.Errorf("%q is not a color: write it as #rrggbb", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return Color{}, fmt.Errorf("%q is not a color: write it as #rrggbb", s)
	}
	channel := func(shift int) float64 { return float64(n>>shift&0xff) / 255 }
	return Color{channel(16), channel(8), channel(0)}, nil
}

// String formats the color as "#rrggbb".
func (c Color) String() string {
	channel := func(v float64) int { return int(math.Round(min(max(v, 0), 1) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", channel(c.R), channel(c.G), channel(c.B))
}

// rounded returns the color with the eight bits per channel that a browser shows.
func (c Color) rounded() Color {
	out, _ := ParseColor(c.String())
	return out
}

// luminance returns the relative luminance as WCAG 2.2 defines it.
func (c Color) luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// Contrast returns the contrast ratio of two colors as WCAG 2.2 defines it, from 1 to 21.
func Contrast(a, b Color) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// linear decodes a channel of sRGB.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// encoded encodes a linear channel for sRGB.
func encoded(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// LCH is a color in OKLCH, as CSS Color 4 defines it: lightness from 0 to 1, chroma, and hue in
// degrees.
type LCH struct{ L, C, H float64 }

// LCH converts the color to OKLCH.
func (c Color) LCH() LCH {
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	light := 0.2104542553*l + 0.7936177850*m - 0.0040720468*s
	x := 1.9779984951*l - 2.4285922050*m + 0.4505937099*s
	y := 0.0259040371*l + 0.7827717662*m - 0.8086757660*s
	return LCH{light, math.Hypot(x, y), math.Mod(math.Atan2(y, x)*180/math.Pi+360, 360)}
}

// Color converts to sRGB. A color outside of sRGB keeps lightness and hue, and gets the greatest
// chroma that sRGB has there.
func (c LCH) Color() Color {
	if out, ok := c.convert(); ok {
		return out
	}
	low, high := 0.0, c.C
	for range 24 {
		c.C = (low + high) / 2
		if _, ok := c.convert(); ok {
			low = c.C
		} else {
			high = c.C
		}
	}
	c.C = low
	out, _ := c.convert()
	return out
}

// convert converts to sRGB and reports whether the color is inside of it.
func (c LCH) convert() (Color, bool) {
	x, y := c.C*math.Cos(c.H*math.Pi/180), c.C*math.Sin(c.H*math.Pi/180)
	cube := func(v float64) float64 { return v * v * v }
	l := cube(c.L + 0.3963377774*x + 0.2158037573*y)
	m := cube(c.L - 0.1055613458*x - 0.0638541728*y)
	s := cube(c.L - 0.0894841775*x - 1.2914855480*y)
	r := 4.0767416621*l - 3.3077115913*m + 0.2309699292*s
	g := -1.2684380046*l + 2.6097574011*m - 0.3413193965*s
	b := -0.0041960863*l - 0.7034186147*m + 1.7076147010*s
	const slack = 1e-4
	ok := min(r, g, b) >= -slack && max(r, g, b) <= 1+slack
	unit := func(v float64) float64 { return encoded(min(max(v, 0), 1)) }
	return Color{unit(r), unit(g), unit(b)}, ok
}
