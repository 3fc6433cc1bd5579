// Command toksta-rig puts a cluster to the test: does a revoked key stay
// refused on every node, whatever happens to nodes, network and database?
//
// It stands outside the product: with -binary it starts a database and nodes
// of that program on this machine and breaks them, with -node it drives a
// cluster that runs already and breaks nothing. It exits with 1 when a promise
// was broken, with 2 when the run proves nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/toksta/toksta/internal/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "toksta-rig:", err)
		os.Exit(2)
	}
	switch {
	case len(report.Violations) > 0:
		os.Exit(1)
	case !report.OK():
		os.Exit(2)
	}
}

func run(ctx context.Context) (rig.Report, error) {
	c := rig.Defaults()
	var faults string
	flag.StringVar(&c.Binary, "binary", "bin/toksta", "program to start nodes of")
	flag.IntVar(&c.Nodes, "nodes", c.Nodes, "how many to start")
	flag.Func("node", "node of a cluster that runs already, URL,SOCKET (repeat for each)", func(s string) error {
		url, socket, both := strings.Cut(s, ",")
		if !both {
			return errors.New("write the node's public URL, a comma, and its operator socket")
		}
		c.Members = append(c.Members, rig.Member{URL: strings.TrimSuffix(url, "/"), Operator: socket})
		return nil
	})
	flag.Uint64Var(&c.Seed, "seed", c.Seed, "of the random choices")
	flag.DurationVar(&c.Span, "span", c.Span, "how long, at least")
	flag.DurationVar(&c.Lease, "lease", c.Lease, "of the nodes")
	flag.IntVar(&c.Uses, "uses", c.Uses, "aimed at, a second")
	flag.IntVar(&c.Owners, "owners", c.Owners, "who change rights at the same time")
	flag.DurationVar(&c.Calm, "calm", c.Calm, "time before the first fault")
	flag.DurationVar(&c.Every, "every", c.Every, "longest time between faults")
	flag.StringVar(&faults, "faults", "", "kinds of faults, comma between (default all: "+strings.Join(rig.Faults(), ", ")+")")
	flag.StringVar(&c.Path, "path", c.Path, "cheap GET route of family data")
	flag.IntVar(&c.MinTests, "tests", c.MinTests, "uses wanted within 100 ms after a narrowing call returned")
	flag.Parse()
	if faults != "" {
		c.Faults = strings.Split(faults, ",")
	}
	var err error
	if c.Binary, err = filepath.Abs(c.Binary); err != nil {
		return rig.Report{}, err
	}
	fmt.Println("seed", c.Seed)
	report, err := rig.Run(ctx, c)
	if err != nil {
		return report, err
	}
	return report, report.Print(os.Stdout)
}
