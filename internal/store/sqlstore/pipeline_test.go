package sqlstore

import (
	"database/sql/driver"
	"testing"
)

// A transaction of very many rows must not keep them all for its commit: the
// server would hear nothing for so long that it ends the transaction.
func TestPipelineSendsInTime(t *testing.T) {
	t.Parallel()
	var p pipeline
	if err := p.begin(driver.TxOptions{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ctx := later(t.Context()); p.mayWait(ctx) && n < 1000; n++ {
		p.add("SELECT 1", nil)
	}
	if n == 0 || n == 1000 {
		t.Errorf("%d statements wait to be sent", n)
	}
}
