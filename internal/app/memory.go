package app

import (
	"os"
	"runtime/debug"
)

// gcPercent makes the collector run more often than by default. Most of a node's heap
// is its index, which hardly changes, so this saves memory at little cost.
const gcPercent = 40

// freeMemory returns the memory that loading the index used to the operating system. A
// GOGC of the operator is kept.
func freeMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
}
