// The program echo serves an API with the framework Echo. Toksta decides on every
// request.
package main

import (
	"log"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/toksta/toksta/examples/go/program"
	"github.com/toksta/toksta/sdk/httpauth"
)

func main() {
	verifier, listen := program.Flags()
	router := echo.New()
	router.Use(echo.WrapMiddleware(httpauth.Require(verifier))) // or router.Group, for a part of the paths
	router.GET("/v1/creators/:id", getCreator)
	log.Fatal(http.ListenAndServe(listen, router))
}

func getCreator(c *echo.Context) error {
	caller, _ := httpauth.FromContext(c.Request().Context())
	return c.JSON(http.StatusOK, map[string]any{"id": c.Param("id"), "account": caller.AccountID, "plan": caller.Plan})
}
