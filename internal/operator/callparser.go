package operator

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// callParser reads calls from JSON in one pass, without a tree and without reflection,
// because verify decides on every call of a vendor. It accepts the same text as decode,
// except that names are compared with case. A syntax error ends the parsing; any other
// problem of a call is noted, and the parser continues behind the value.
type callParser struct {
	jsonReader
	// problem is the first problem of the present call. It never contains a value.
	problem error
}

// parseCall reads one call.
func parseCall(data []byte) (r client.VerifyRequest, err error) {
	p := callParser{jsonReader: jsonReader{data: data}}
	if err := p.call(&r); err != nil {
		return client.VerifyRequest{}, err
	}
	if err := p.end(); err != nil {
		return client.VerifyRequest{}, err
	}
	return r, p.problem
}

// parseCalls reads the calls of a batch, and the problem of each malformed one.
func parseCalls(data []byte) (calls []client.VerifyRequest, malformed []error, err error) {
	p := callParser{jsonReader: jsonReader{data: data}}
	var problem error
	err = p.object(func(name string) error {
		if name != "calls" {
			problem = unknownField(name)
			return p.skip()
		}
		if calls != nil {
			problem = badRequest("The name calls is given twice.")
		}
		if p.next() != '[' {
			return toksta.Invalid("calls", "Give an array of calls.")
		}
		return p.array(func() error {
			var r client.VerifyRequest
			p.problem = nil
			if err := p.call(&r); err != nil {
				return err
			}
			if len(calls) == client.MaxVerifyBatch {
				return tooManyCalls()
			}
			calls, malformed = append(calls, r), append(malformed, p.problem)
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, nil, err
	case problem != nil:
		return nil, nil, problem
	case len(calls) == 0:
		return nil, nil, tooManyCalls()
	}
	return calls, malformed, p.end()
}

func tooManyCalls() error {
	return toksta.Invalid("calls", fmt.Sprintf("Send 1 to %d calls.", client.MaxVerifyBatch))
}

// callFields are the names of the fields of a call.
var callFields = []string{
	"key", "authorization", "operation", "method", "target", "address", "agent",
	"request_id", "traceparent", "trace_id", "credits", "hold",
}

// call reads a call into r.
func (p *callParser) call(r *client.VerifyRequest) error {
	return p.fields(callFields, func(name string) error {
		switch name {
		case "key":
			return p.text(name, &r.Key)
		case "authorization":
			return p.text(name, &r.Authorization)
		case "operation":
			return p.text(name, &r.Operation)
		case "method":
			return p.text(name, &r.Method)
		case "target":
			return p.text(name, &r.Target)
		case "address":
			return p.address(name, &r.Address)
		case "agent":
			return p.text(name, &r.Agent)
		case "request_id":
			return p.text(name, &r.RequestID)
		case "traceparent":
			return p.text(name, &r.Traceparent)
		case "trace_id":
			return p.text(name, &r.TraceID)
		case "credits":
			r.Credits = new(int64)
			return p.number(name, r.Credits)
		default:
			r.Hold = &client.VerifyHold{}
			return p.hold(r.Hold)
		}
	})
}

var holdFields = []string{"job", "expires_in_seconds"}

// hold reads the object of the field hold.
func (p *callParser) hold(h *client.VerifyHold) error {
	return p.fields(holdFields, func(name string) error {
		if name == "job" {
			return p.text(name, &h.Job)
		}
		return p.number(name, &h.ExpiresIn)
	})
}

// fields reads an object whose names are in known. It calls member for each field that is
// not null, with the parser before its value.
func (p *callParser) fields(known []string, member func(name string) error) error {
	if p.next() != '{' {
		p.note(badRequest("A call and its field hold must be JSON objects."))
		return p.skip()
	}
	var seen uint32
	return p.object(func(name string) error {
		i := slices.Index(known, name)
		switch {
		case i < 0:
			p.note(unknownField(name))
			return p.skip()
		case seen&(1<<i) != 0:
			p.note(badRequest("The name " + name + " is given twice."))
			return p.skip()
		}
		seen |= 1 << i
		if p.next() == 'n' {
			return p.skip()
		}
		return member(name)
	})
}

// note notes a problem of the present call.
func (p *callParser) note(problem error) {
	if p.problem == nil {
		p.problem = problem
	}
}

// misfit notes that the value of a field has the wrong type, and skips the value.
func (p *callParser) misfit(name, want string) error {
	p.note(badRequest(name + ": Give " + want + "."))
	return p.skip()
}

// text reads a string.
func (p *callParser) text(name string, into *string) (err error) {
	if p.next() != '"' {
		return p.misfit(name, "a string")
	}
	*into, err = p.str()
	return err
}

// address reads an IP address.
func (p *callParser) address(name string, into *netip.Addr) error {
	var s string
	if err := p.text(name, &s); err != nil || s == "" {
		return err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		p.note(badRequest(name + ": Give an IP address without a port."))
	}
	*into = a
	return nil
}

// number reads an integer without a fraction or an exponent.
func (p *callParser) number(name string, into *int64) error {
	p.next()
	start := p.at
	if err := p.skip(); err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(p.data[start:p.at]), 10, 64)
	if err != nil {
		p.note(badRequest(name + ": Give an integer."))
	}
	*into = n
	return nil
}

// unknownField returns the error for a field that does not exist. It repeats the name only if
// the name cannot be a secret in the wrong place.
func unknownField(name string) error {
	if len(name) > 30 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return badRequest("The request has an unknown field.")
	}
	return badRequest(name + ": There is no such field.")
}
