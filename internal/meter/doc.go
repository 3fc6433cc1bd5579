// Package meter counts calls and credits so that no call with a response is lost.
//
// Counting is the last step of a decision. Count adds to the running totals of a slot: one
// combination of account, key, family, cost key, reason and hour. The totals are in a memory-mapped
// file, so they are in the page cache before the first byte of the response and survive a kill of
// the process at any instruction. Run flushes them to the store in the background, as totals of an
// epoch and never as differences, so a repeated, reordered or doubled flush changes nothing.
//
// A segment is one such file, with its own epoch. When it is full, or when the hour changes, the
// next segment takes over. Once the store has all totals of a segment that is no longer written,
// the file is kept for Config.Keep and then deleted. The next process in the same directory adopts
// the segments of dead processes. If the store was restored from a backup that lacks a kept
// segment, the segment is flushed again.
//
// The package never writes to the store on the request path and never guesses the content of a
// damaged file. When the disk is full, Count fails and the caller responds 503, so no uncounted
// call is admitted.
package meter
