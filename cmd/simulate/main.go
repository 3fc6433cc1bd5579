// Command simulate plays the enforcement protocol as a model and prints what a
// revocation costs on 1 to 100 nodes.
//
// It stands beside the product: it turns flags into a model of package
// simulate and never opens a database or a socket. The same flags print the
// same tables.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/toksta/toksta/internal/simulate"
)

func main() {
	c := simulate.Defaults()
	flag.Uint64Var(&c.Seed, "seed", c.Seed, "of the random numbers")
	flag.DurationVar(&c.Span, "span", c.Span, "time to simulate for each line")
	flag.DurationVar(&c.Lease, "lease", c.Lease, "length of a lease")
	flag.DurationVar(&c.Machine.Flush.P50, "flush", c.Machine.Flush.P50, "median of a disk flush")
	flag.DurationVar(&c.Machine.Trip.P50, "trip", c.Machine.Trip.P50, "median of a round trip to the database")
	flag.Parse()
	if err := print(c); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func print(c simulate.Config) error {
	fmt.Printf("seed %d, %s a line, lease %s\n\n", c.Seed, c.Span, c.Lease)
	costs := simulate.Table(os.Stdout, c)
	fmt.Println()
	variants := simulate.Variants(os.Stdout, c)
	fmt.Println()
	return errors.Join(costs, variants, simulate.Sizes(os.Stdout, c))
}
