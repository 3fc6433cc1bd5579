package operatorapi

import (
	"net/http"
	"slices"

	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// codesOf returns the error codes of a POST request of an operation. verify parses its call by itself, and
// reports each problem of it as the decision on a call of a batch does.
func codesOf(o operator.Operation) []toksta.Code {
	codes := slices.Concat(operator.CommonCodes(), operator.NetworkCodes(), o.Codes)
	codes = slices.DeleteFunc(codes, func(c toksta.Code) bool {
		return httpauth.Status(c) == http.StatusMethodNotAllowed || o.Name == "verify" && c == toksta.CodeValidation
	})
	slices.Sort(codes)
	return slices.Compact(codes)
}
