package events

import (
	"errors"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// Guarantee: an outcome can be stored in every database, also when a mail server responds in
// Latin-1. Otherwise the delivery would be repeated without end.
func TestOutcomeIsText(t *testing.T) {
	t.Parallel()
	s := &Service{config: Config{Now: time.Now}}
	if d := s.nextState(store.Delivery{Attempts: 1}, "", errors.New("550 bo\xeete pleine\x00")); d.Outcome != "550 bo\ufffdte pleine\ufffd" {
		t.Errorf("outcome %q", d.Outcome)
	}
}
