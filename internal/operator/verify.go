package operator

import (
	"context"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/verifyapi"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// The limits of the bodies of verify and verify/batch, in bytes.
const (
	maxCallBody  = 64 << 10
	maxBatchBody = maxBody
)

// verifyRequest is the request of verify.
type verifyRequest struct{ client.VerifyRequest }

// decode reads the call. The body contains the secret, so it is overwritten.
func (v *verifyRequest) decode(w http.ResponseWriter, r *http.Request) error {
	data, err := readBody(w, r, maxCallBody)
	if err != nil {
		return err
	}
	defer clear(data)
	v.VerifyRequest, err = parseCall(data)
	return err
}

// verifyBatchRequest is the request of verify/batch.
type verifyBatchRequest struct {
	client.VerifyBatchRequest
	malformed []error // by position in Calls; nil: the call is well-formed
}

// decode reads the calls. The body contains secrets, so it is overwritten.
func (v *verifyBatchRequest) decode(w http.ResponseWriter, r *http.Request) error {
	data, err := readBody(w, r, maxBatchBody)
	if err != nil {
		return err
	}
	defer clear(data)
	v.Calls, v.malformed, err = parseCalls(data)
	return err
}

// verify decides on one call. The record of the request has the decision.
func (s server) verify(ctx context.Context, by toksta.Actor, r verifyRequest) (client.VerifyResponse, error) {
	x := exchange.FromContext(ctx)
	response, call, err := s.Verifier.Verify(ctx, verifyapi.Question{Call: &r.VerifyRequest, Asked: x, By: by})
	if err != nil {
		return client.VerifyResponse{}, err
	}
	x.SetVerified(call)
	return response, nil
}

// verifyBatch decides on each call by itself, in their order. Each decision has a record of
// its own.
func (s server) verifyBatch(ctx context.Context, by toksta.Actor, r verifyBatchRequest) (client.VerifyBatchResponse, error) {
	asked := exchange.FromContext(ctx)
	out := client.VerifyBatchResponse{Decisions: make([]client.VerifyResponse, len(r.Calls))}
	for i := range r.Calls {
		var call *exchange.Exchange
		question := verifyapi.Question{Call: &r.Calls[i], Malformed: r.malformed[i], By: by}
		out.Decisions[i], call, _ = s.Verifier.Verify(ctx, question) // the decision has the error
		record := &exchange.Exchange{
			Start: call.Start, Method: asked.Method, Path: asked.Path, Operation: asked.Operation, Operator: asked.Operator, Status: http.StatusOK,
		}
		record.SetVerified(call)
		record.Duration = time.Since(call.Start)
		s.Record(record)
	}
	return out, nil
}
