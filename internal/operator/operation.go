package operator

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Operation describes one operation of the API. The authorization of requests over the
// network, the OpenAPI document and the tests of all operations read it.
type Operation struct {
	Name    string        // of the path behind client.PathPrefix: "keys/revoke"
	Summary string        // for documents, such as "Revokes a key."
	Roles   []toksta.Role // of operator keys that may call it, always with toksta.RoleManage
	Changes bool          // it changes data or sends a message
	Reveals bool          // its response contains a secret
	Codes   []toksta.Code // of its errors, without those of CommonCodes

	Request  reflect.Type // of the JSON object; struct{} for {}
	Response reflect.Type // of the data in the envelope; nil if the response is CSV
}

// CommonCodes returns the error codes that every operation can have. NetworkCodes are
// further ones.
func CommonCodes() []toksta.Code {
	return []toksta.Code{
		toksta.CodeBadRequest, toksta.CodeValidation, toksta.CodeMethodNotAllowed, toksta.CodePayloadTooLarge,
		toksta.CodeInternal, toksta.CodeUnavailable,
	}
}

// NetworkCodes returns the further error codes that every operation can have on the
// listener for the network, which authenticates each request.
func NetworkCodes() []toksta.Code {
	return []toksta.Code{toksta.CodeUnauthorized, toksta.CodeForbidden, toksta.CodeRateLimited}
}

// Operations returns the descriptions of all operations, in the order of documents.
func Operations() []Operation {
	var out []Operation
	for _, o := range (server{}).operations() {
		out = append(out, o.Operation)
	}
	return out
}

// operation is an operation with its handler.
type operation struct {
	Operation
	handler http.HandlerFunc
}

// define returns the operation o, which fn carries out. It adds the types and
// toksta.RoleManage to o.
func define[Request, Response any](s server, o Operation, fn endpoint[Request, Response]) operation {
	o.Response = reflect.TypeFor[Response]()
	return defineWith(s, o, fn, func(w http.ResponseWriter, x *exchange.Exchange, response Response) error {
		return httpauth.WriteData(w, &x.Meta, http.StatusOK, response)
	})
}

// defineWith does the same as define for a response that write encodes. If write returns
// an error, it must have ended the response.
func defineWith[Request, Response any](s server, o Operation, fn endpoint[Request, Response], write func(http.ResponseWriter, *exchange.Exchange, Response) error) operation {
	o.Request = reflect.TypeFor[Request]()
	o.Roles = append(slices.Clone(o.Roles), toksta.RoleManage)
	return operation{o, func(w http.ResponseWriter, r *http.Request) {
		x := exchange.FromContext(r.Context())
		x.Operation = o.Name
		response, err := serve(target{s, &o}, w, r, fn)
		if err != nil {
			x.Fail(err)
			httpauth.WriteError(w, &x.Meta, forOperator(err))
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := write(w, x, response); err != nil {
			x.Fail(err)
		}
	}}
}

// handler returns the handler of all operations, the documents and unknown paths.
func (s server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, o := range s.operations() {
		mux.HandleFunc(client.PathPrefix+o.Name, o.handler)
	}
	for path, h := range s.Documents {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			exchange.FromContext(r.Context()).Operation = "documents"
			h.ServeHTTP(w, r)
		})
	}
	mux.HandleFunc("/", s.notFound)
	return mux
}
