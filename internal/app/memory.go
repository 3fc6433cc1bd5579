package app

import (
	"os"
	"runtime/debug"
)

// gcPercent trades processor time for memory: a node's heap is its index,
// which hardly changes, so collecting earlier costs little.
const gcPercent = 40

// settle gives back what loading the index left behind. An operator who sets
// GOGC knows better.
func settle() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
}
