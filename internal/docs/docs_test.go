package docs

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

const weather = `
openapi: 3.0.3
info: {title: Weather, version: "2.1", description: "Forecasts.\n\n<script>alert(1)</script> and <b>bold</b>"}
servers: [{url: https://api.weather.example}]
paths:
  /forecast/{city}:
    get:
      operationId: getForecast
      summary: Forecast of a city
      description: "Up to **ten** days, see ` + "`days`" + `."
      parameters:
        - {name: city, in: path, required: true, description: "Name, in UTF-8", schema: {type: string}, example: Malmö}
        - {name: days, in: query, description: How many days, schema: {type: integer, minimum: 1, maximum: 10, default: 3}}
        - {name: unit, in: query, required: true, schema: {type: string, enum: [metric, imperial]}}
      responses:
        "200": {description: The forecast, content: {application/json: {schema: {type: object, required: [high], properties: {high: {type: number, description: Highest temperature}, hours: {type: array, items: {type: object, properties: {rain: {type: number}}}}}}}}}
        "404": {description: No such city}
  /alerts:
    post:
      operationId: createAlert
      summary: Watch a place
      requestBody: {required: true, content: {application/json: {example: {place: "Lund's", above: 30}, schema: {type: object, properties: {place: {type: string}, above: {type: integer}}}}}}
      responses: {"201": {description: Created}}
  /unserved:
    get: {operationId: unserved, responses: {"200": {description: ok}}}
`

func weatherDocs(t *testing.T, document bool) *Docs {
	t.Helper()
	c := Config{
		Look: brand.Look{Product: "Weather"}, Path: "/docs", AccountURL: "https://keys.weather.example/account", PublicURL: "https://api.weather.example",
		Families: []toksta.FamilyInfo{{Name: "forecast", Description: "Read forecasts"}, {Name: "alert"}},
		Routes: []toksta.Route{
			{Method: "GET", Pattern: "/forecast/{name}", Operation: "forecast", Family: "forecast", Credits: 1, Upstream: "b"},
			{Method: "*", Pattern: "/alerts/*", Operation: "alerts", Family: "alert", Upstream: "b"},
			{Method: "POST", Pattern: "/alerts", Operation: "createAlert", Family: "alert", Credits: 2, Upstream: "b"},
			{Method: "POST", Pattern: "/hooks", Operation: "hook", Public: true, Upstream: "b"},
		},
		Errors: []Error{{403, "FORBIDDEN", "The plan does not allow it."}}, Names: httpauth.NewNames("X-Weather"),
	}
	if document {
		var err error
		if c.Document, err = openapi.Parse([]byte(weather)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func get(t *testing.T, d *Docs, target string) string {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	if h := w.Header(); w.Code != 200 || h.Get("Content-Security-Policy") != page.Policy || h.Get("X-Weather-Source") != "gateway" {
		t.Errorf("%s: %d %v", target, w.Code, h)
	}
	body := w.Body.String()
	for _, bad := range []string{"ZgotmplZ", "<no value>", "%!", "<script>", " style=", "<b>bold"} {
		if strings.Contains(body, bad) {
			t.Errorf("%s contains %q", target, bad)
		}
	}
	return body
}

// Guarantee: the page shows parameters, bodies, examples and responses of the vendor's document
// for every route, with calls in four languages, and shows its texts as text. It leaves out
// operations that no route serves. With DOCS_OUT set, the page stays there for a look in a browser.
func TestDocument(t *testing.T) {
	d := weatherDocs(t, true)
	body := get(t, d, "/docs")
	if !strings.Contains(body, "/<wbr>forecast/<wbr>{city}") {
		t.Error("a long path cannot break")
	}
	body = strings.NewReplacer("<wbr>", "", `<span class="unbroken">`, "", "</span>", "").Replace(body)
	for _, want := range []string{
		"Version 2.1.", "&lt;script&gt;alert(1)&lt;/script&gt;", "/forecast/{city}", "Forecast of a city", "<strong>ten</strong>", "<code>days</code>",
		"Name, in UTF-8", "at least 1", "metric", "Highest temperature", "rain", "No such city", "1 credit a call", "No key is needed.", "403 FORBIDDEN",
		"curl -sS &#39;https://api.weather.example/forecast/Malm%C3%B6?unit=metric&#39;", "Bearer $WEATHER_API_KEY", "process.env.WEATHER_API_KEY",
		"os.environ[&#34;WEATHER_API_KEY&#34;]", "os.Getenv(&#34;WEATHER_API_KEY&#34;)", `Lund&#39;\&#39;&#39;s`, "ANY", `href="https://keys.weather.example/account"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "unserved") || strings.Contains(strings.ToLower(body), "toksta") {
		t.Error("the page shows an operation that no route serves, or the word Toksta")
	}
	if out := os.Getenv("DOCS_OUT"); out != "" {
		writePage(t, d, out, body)
	}
}

// writePage writes the page and its files.
func writePage(t *testing.T, d *Docs, out, body string) {
	t.Helper()
	for path, h := range d.Files() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		file := filepath.Join(out, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, w.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, page := range map[string]string{"docs": body, "docs-open": strings.ReplaceAll(body, "<details ", "<details open ")} {
		if err := os.WriteFile(filepath.Join(out, name+".html"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Guarantee: without scripts, the form finds the endpoints that contain every word; a page without
// a document shows the routes.
func TestSearch(t *testing.T) {
	d := weatherDocs(t, true)
	if body := get(t, d, "/docs?q=FORECAST+city"); !strings.Contains(body, "1 endpoint with") || !strings.Contains(body, "op-getForecast") || strings.Contains(body, "op-createAlert") {
		t.Errorf("the search found the wrong endpoints:\n%s", body)
	}
	if body := get(t, d, "/docs?q=%3Cscript%3E"); !strings.Contains(body, "No endpoint has “&lt;script&gt;”") {
		t.Errorf("an empty search:\n%s", body)
	}
	if body := get(t, d, "/docs?q="+strings.Repeat("%C3%A4", 80)); !strings.Contains(body, "No endpoint has") {
		t.Error("a long search failed")
	}
	body := get(t, weatherDocs(t, false), "/docs")
	for _, want := range []string{"/<wbr>forecast/<wbr>{name}", "op-forecast", "Read forecasts", "path, string, required"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page without a document lacks %q", want)
		}
	}
}
