//go:build race

package gateway

// raceAllocations is the number of allocations that the race detector may add.
const raceAllocations = 6
