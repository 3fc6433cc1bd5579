// The program proxy protects an existing back end, behind the router that -router names.
// Toksta decides on every request.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"

	"github.com/toksta/toksta/examples/go/gin/adapter"
	"github.com/toksta/toksta/examples/go/program"
	"github.com/toksta/toksta/sdk/httpauth"
)

func main() {
	backend := flag.String("backend", "http://127.0.0.1:9001", "URL of the back end")
	router := flag.String("router", "nethttp", "nethttp, chi, gin or echo")
	verifier, listen := program.Flags()
	target, err := url.Parse(*backend)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(listen, route(*router, httpauth.Require(verifier), forward(target))))
}

// forward returns a handler that forwards requests to the back end as they were sent.
func forward(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(target)
		pr.Out.URL.RawQuery = pr.In.URL.RawQuery // also with parameters that Go rejects
		pr.SetXForwarded()
	}}
}

// route returns a router that calls the handler on every path.
func route(router string, protect func(http.Handler) http.Handler, handler http.Handler) http.Handler {
	switch router {
	case "chi":
		r := chi.NewRouter()
		r.Use(protect)
		r.Handle("/*", handler) // chi calls no middleware if it has no route
		return r
	case "echo":
		e := echo.New()
		e.Use(echo.WrapMiddleware(protect))
		e.RouteNotFound("/*", echo.WrapHandler(handler))
		return e
	case "gin":
		gin.SetMode(gin.ReleaseMode)
		g := gin.New()
		g.Use(adapter.Gin(protect))
		g.NoRoute(gin.WrapH(handler))
		return g
	}
	return protect(handler)
}
