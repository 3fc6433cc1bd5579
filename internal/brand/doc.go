// Package brand turns the vendor's look into files that the pages serve: the colors of one
// accent with sufficient contrast, a checked logo, and checked CSS variables.
//
// It is pure: it computes with values and bytes, and reads no files.
package brand
