package events

import (
	"errors"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// An outcome is stored in every database, also when a mail server answers in Latin-1: a delivery that cannot be settled
// would be repeated for ever.
func TestOutcomeIsText(t *testing.T) {
	t.Parallel()
	s := &Service{config: Config{Now: time.Now}}
	if d := s.judge(store.Delivery{Attempts: 1}, "", errors.New("550 bo\xeete pleine\x00")); d.Outcome != "550 bo\ufffdte pleine\ufffd" {
		t.Errorf("outcome %q", d.Outcome)
	}
}
