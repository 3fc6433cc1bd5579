// The program gin serves an API with the framework Gin. Toksta decides on every request.
package main

import (
	"log"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/toksta/toksta/examples/go/gin/adapter"
	"github.com/toksta/toksta/examples/go/program"
	"github.com/toksta/toksta/sdk/httpauth"
)

func main() {
	verifier, listen := program.Flags()
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.RedirectTrailingSlash = false // Gin redirects before it calls middleware
	router.Use(adapter.Gin(httpauth.Require(verifier)))
	router.GET("/v1/creators/:id", getCreator)
	log.Fatal(http.ListenAndServe(listen, router))
}

func getCreator(c *gin.Context) {
	caller, _ := httpauth.FromContext(c.Request.Context())
	c.JSON(http.StatusOK, gin.H{"id": c.Param("id"), "account": caller.AccountID, "plan": caller.Plan})
}
