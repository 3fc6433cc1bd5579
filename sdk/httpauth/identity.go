package httpauth

import (
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// FieldSetter sets a header field, as http.Header does. Names are in canonical form.
type FieldSetter interface{ Set(name, value string) }

// SetIdentity sets the fields that state p to the back end.
func (n *Names) SetIdentity(to FieldSetter, p *toksta.Principal) {
	to.Set(n.AccountID, string(p.AccountID))
	to.Set(n.KeyID, string(p.KeyID))
	to.Set(n.Plan, string(p.Plan))
	to.Set(n.Scopes, joinFamilies(p.Scopes))
}

// SetIDs sets the fields that state the ids of the request to the back end. traceparent is
// "" if the client sent a trace id of another form.
func (m *Meta) SetIDs(to FieldSetter, traceparent string) {
	to.Set(HeaderRequestID, m.RequestID)
	to.Set(HeaderTraceID, m.TraceID)
	if traceparent != "" {
		to.Set(HeaderTraceparent, traceparent)
	}
}

// joinFamilies returns scopes in the form of the field Scopes: "data,job".
func joinFamilies(families []toksta.Family) string {
	var b strings.Builder
	for i, f := range families {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(f))
	}
	return b.String()
}
