// Package config is every setting of the product: its default, its name in
// the file and in the environment, and what is wrong with it.
//
// It stands before both paths: commands load a Config once and hand it to the
// wiring. The embedded default.yaml is the product's default offer, so a
// vendor's file holds only what differs. All faults are reported together,
// each with its line and a remedy, and settings that would admit everyone
// refuse to load. This package alone reads the environment; it opens no file
// but the configuration (and the files that it names for secrets) and never
// prints a password.
package config
