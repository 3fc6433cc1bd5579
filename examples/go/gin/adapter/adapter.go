// Package adapter adapts middleware for net/http to Gin.
package adapter

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Gin adapts middleware for net/http to Gin, for a router or for a group of routes.
func Gin(protect func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		admitted := false
		protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			admitted = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !admitted {
			c.Abort()
		}
	}
}
