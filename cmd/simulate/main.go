// Command simulate runs a model of the enforcement protocol and prints the cost of
// a revocation on 1 to 100 nodes.
//
// It is independent of the product: it opens no database and no socket. The same
// flags print the same tables.
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
	flag.Uint64Var(&c.Seed, "seed", c.Seed, "`seed` of the random numbers")
	flag.DurationVar(&c.Span, "span", c.Span, "simulated time of each line")
	flag.DurationVar(&c.Lease, "lease", c.Lease, "length of a lease")
	flag.DurationVar(&c.Machine.Flush.P50, "flush", c.Machine.Flush.P50, "median of a disk flush")
	flag.DurationVar(&c.Machine.Trip.P50, "trip", c.Machine.Trip.P50, "median of a round trip to the database")
	flag.Parse()
	if err := printTables(c); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func printTables(c simulate.Config) error {
	fmt.Printf("seed %d, %s a line, lease %s\n\n", c.Seed, c.Span, c.Lease)
	costs := simulate.Table(os.Stdout, c)
	fmt.Println()
	variants := simulate.Variants(os.Stdout, c)
	fmt.Println()
	return errors.Join(costs, variants, simulate.Sizes(os.Stdout, c))
}
