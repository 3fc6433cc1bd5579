package doors

import (
	"strings"
	"testing"
)

// startGateway returns the address of the gateway itself.
func startGateway(_ *testing.T, w *World) string { return strings.TrimPrefix(w.Node.URL, "http://") }
