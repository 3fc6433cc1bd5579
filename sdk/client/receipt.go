package client

import (
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Receipt describes a change that is enforced: no node decides a later call by
// the state before the change.
type Receipt struct {
	Sequence     int64             `json:"sequence"`
	At           time.Time         `json:"at"`
	Kind         toksta.ChangeKind `json:"kind"` // "" if the state was as requested, so that nothing was changed
	Confirmed    []Confirmation    `json:"confirmed"`
	Fenced       []string          `json:"fenced"` // nodes that did not respond and whose lease has expired
	Milliseconds float64           `json:"milliseconds"`
}

// Confirmation reports that a node applied a change, and how long after the
// commit.
type Confirmation struct {
	Node         string  `json:"node"`
	Milliseconds float64 `json:"milliseconds"`
}

// NewReceipt converts a receipt to the form of the API.
func NewReceipt(r toksta.Receipt) Receipt {
	out := Receipt{
		Sequence: r.Change.Seq, At: r.Change.At, Kind: r.Change.Kind,
		Confirmed: []Confirmation{}, Fenced: append([]string{}, r.Fenced...), Milliseconds: milliseconds(r.Took),
	}
	for _, n := range r.Confirmed {
		out.Confirmed = append(out.Confirmed, Confirmation{n.Node, milliseconds(n.Took)})
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
