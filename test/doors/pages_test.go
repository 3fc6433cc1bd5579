package doors

import (
	"testing"

	"github.com/toksta/toksta/internal/config"
)

// Guarantee: the settings of Toksta on the page of each proxy are valid as they are.
func TestSettingsOfPages(t *testing.T) {
	t.Parallel()
	for _, name := range proxies {
		block := (&World{}).snippet(t, name+".md yaml 1")
		c, err := config.Parse(name+".md", []byte(block), nil)
		if err != nil || c.Listen.ForwardAuth == "" || len(c.ForwardAuth.Proxies) == 0 {
			t.Errorf("%s: %v, %+v", name, err, c.ForwardAuth)
		}
	}
}
