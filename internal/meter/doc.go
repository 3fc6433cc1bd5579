// Package meter counts calls and credits so that nothing answered is lost.
//
// It is the last station of the request path: Count adds to running totals in
// a memory-mapped file before the answer's first byte, so the totals live in
// the page cache and survive a kill of the process at any instruction. Run
// carries them to the store, behind the request path, as totals of an epoch
// and never as differences: a repeated, reordered or doubled flush changes
// nothing.
//
// A segment is one such file with an epoch of its own. When it is full, or
// when the hour turns, the next one takes over; once all totals of a segment
// that is no longer added to are in the store, it is kept for a while and then
// deleted. Segments of dead processes are adopted by the next one in the same
// directory, and kept ones by the first one that meets a store without them.
//
// The package never writes to the store on the request path, never guesses at
// a damaged file, and never admits a call that it could not count: when the
// disk is full Count fails and the caller answers 503.
package meter
