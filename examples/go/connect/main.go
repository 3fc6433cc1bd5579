// The program connect serves procedures of Connect and gRPC. Toksta decides on every
// call by its operation, so that its configuration needs no paths of procedures.
package main

import (
	"context"
	"log"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/toksta/toksta/examples/go/program"
	"github.com/toksta/toksta/sdk/httpauth"
)

const getCreatorProcedure = "/creators.v1.CreatorService/GetCreator"

// operations names the operation of each procedure, as Toksta's configuration lists it.
var operations = map[string]string{getCreatorProcedure: "getCreator"}

func main() {
	verifier, listen := program.Flags()
	mux := http.NewServeMux()
	mux.Handle(getCreatorProcedure, connect.NewUnaryHandler(getCreatorProcedure, getCreator))
	protect := httpauth.Require(verifier, httpauth.WithOperation(operation))
	server := &http.Server{Addr: listen, Handler: protect(mux), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC without TLS, behind a proxy
	log.Fatal(server.ListenAndServe())
}

// operation returns the operation of a procedure. An unknown procedure has none: Toksta
// then decides by the path, and rejects one that it does not know.
func operation(r *http.Request) string { return operations[r.URL.Path] }

// getCreator returns the account of the caller.
func getCreator(ctx context.Context, _ *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	caller, _ := httpauth.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String(string(caller.AccountID))), nil
}
