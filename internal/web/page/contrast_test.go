package page

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/brand"
)

// accents are twenty colors around the wheel, and the extremes.
func accents() []string {
	out := []string{"#000000", "#ffffff", "#808080", "#ffff00", "#ffd60a", "#fde68a", "#fce7f3", "#00ff00", "#00ffff", "#ff00ff"}
	for h := range 20 {
		out = append(out, brand.LCH{L: .62, C: .2, H: float64(h) * 18}.Color().String())
	}
	return out
}

// touching lists the pairs of variables that touch on the pages, with the ratio that WCAG 2.2 AA
// requires: 4.5 for text, 3 for controls and figures.
func touching() map[[2]string]float64 {
	pairs := map[[2]string]float64{
		{"on-accent", "accent"}: 4.5, {"on-accent", "accent-hover"}: 4.5, {"white", "accent-graphic"}: 3,
		{"white", "bad-fill"}: 4.5, {"white", "bad-hover"}: 4.5,
		{"ok", "ok-soft"}: 4.5, {"warn", "warn-soft"}: 4.5, {"bad", "bad-soft"}: 4.5, {"ok-dot", "ok-soft"}: 3,
		{"accent-text", "accent-soft"}: 4.5, {"text", "accent-soft"}: 4.5, {"white", "control"}: 3,
		{"white", "tip"}: 4.5, {"surface", "text"}: 4.5, {"canvas", "text"}: 4.5,
	}
	for _, ground := range []string{"canvas", "surface", "inset"} {
		for _, text := range []string{"text", "text-2", "text-3", "accent-text", "ok", "warn", "bad"} {
			pairs[[2]string{text, ground}] = 4.5
		}
		pairs[[2]string{"accent-graphic", ground}] = 3
	}
	pairs[[2]string{"control", "surface"}] = 3
	pairs[[2]string{"refused", "surface"}] = 3
	return pairs
}

// TestContrast computes the contrast of every touching pair from the stylesheet that is served,
// for the default look and for many accents, on light and dark pages.
func TestContrast(t *testing.T) {
	looks := map[string]brand.Look{"default": {}}
	for hue := 190; hue <= 330; hue += 20 {
		looks[fmt.Sprintf("hue %d", hue)] = brand.Look{Hue: hue}
	}
	for _, text := range accents() {
		c, err := brand.ParseColor(text)
		if err != nil {
			t.Fatal(err)
		}
		looks[text] = brand.Look{Accent: &c}
	}
	for name, look := range looks {
		assets, err := LoadAssets(look)
		if err != nil {
			t.Fatal(err)
		}
		for i, scheme := range []string{"light", "dark"} {
			sheet := readSheet(string(assets.files["app.css"]), i)
			for pair, want := range touching() {
				a, b := sheet.color(t, pair[0]), sheet.color(t, pair[1])
				if got := brand.Contrast(a, b); got < want {
					t.Errorf("%s, %s: %s %s on %s %s has %.2f, want %.1f", name, scheme, pair[0], a, pair[1], b, got, want)
				}
			}
		}
	}
}

// sheet has the custom properties of a stylesheet, by name.
type sheet struct {
	values map[string]string
	scheme int // argument of light-dark: 0 light, 1 dark
}

func readSheet(css string, scheme int) sheet {
	s := sheet{map[string]string{"white": "#fff"}, scheme}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):\s*([^;}]+)[;}]`).FindAllStringSubmatch(css, -1) {
		s.values[m[1]] = strings.TrimSpace(m[2])
	}
	return s
}

var (
	lightDark = regexp.MustCompile(`^light-dark\(((?:[^(),]|\((?:[^()]|\([^()]*\))*\))+),\s*(.+)\)$`)
	lch       = regexp.MustCompile(`^oklch\(([0-9.]+) +([0-9.]+) +(.+)\)$`)
)

// color evaluates a variable.
func (s sheet) color(t *testing.T, name string) brand.Color {
	t.Helper()
	value := s.values[name]
	if m := lightDark.FindStringSubmatch(value); m != nil {
		value = strings.TrimSpace(m[1+s.scheme])
	}
	if of, ok := strings.CutPrefix(value, "var(--"); ok {
		return s.color(t, strings.TrimSuffix(of, ")"))
	}
	if value == "#fff" {
		value = "#ffffff"
	}
	if c, err := brand.ParseColor(value); err == nil {
		return c
	}
	m := lch.FindStringSubmatch(value)
	if m == nil {
		t.Fatalf("--%s: %q is not a color", name, value)
	}
	hue := strings.TrimSpace(m[3])
	if hue == "var(--h)" {
		hue = s.values["h"]
	}
	var parts [3]float64
	for i, text := range []string{m[1], m[2], hue} {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatalf("--%s: %v", name, err)
		}
		parts[i] = n
	}
	c := brand.LCH{L: parts[0], C: parts[1], H: parts[2]}.Color()
	rounded, err := brand.ParseColor(c.String())
	if err != nil {
		t.Fatal(err)
	}
	return rounded
}
