// Command toksta-rig tests a cluster: does every node reject a revoked key, under
// any fault of nodes, network and database?
//
// The rig is independent of the product. With -binary it starts a database and nodes
// of that program on this machine and injects faults. With -node it drives an
// existing cluster and injects no faults. It exits with 1 if a guarantee was broken,
// and with 2 if the run proves nothing.
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
	flag.StringVar(&c.Binary, "binary", "bin/toksta", "`program` to start nodes of")
	flag.IntVar(&c.Nodes, "nodes", c.Nodes, "number of nodes to start")
	flag.Func("node", "node of an existing cluster, `URL,SOCKET` (repeat for each node)", func(s string) error {
		url, socket, both := strings.Cut(s, ",")
		if !both {
			return errors.New("write the node's public URL, a comma, and its operator socket")
		}
		c.Members = append(c.Members, rig.Member{URL: strings.TrimSuffix(url, "/"), Operator: socket})
		return nil
	})
	flag.Uint64Var(&c.Seed, "seed", c.Seed, "`seed` of the random choices")
	flag.DurationVar(&c.Span, "span", c.Span, "minimum `duration`")
	flag.DurationVar(&c.Lease, "lease", c.Lease, "`length` of the nodes' lease")
	flag.IntVar(&c.Uses, "uses", c.Uses, "target `number` of uses per second")
	flag.IntVar(&c.Owners, "owners", c.Owners, "`number` of concurrent callers that change rights")
	flag.DurationVar(&c.Calm, "calm", c.Calm, "time before the first fault")
	flag.DurationVar(&c.Every, "every", c.Every, "longest time between faults")
	flag.StringVar(&faults, "faults", "", "`kinds` of faults, separated by commas (default all: "+strings.Join(rig.Faults(), ", ")+")")
	flag.StringVar(&c.Path, "path", c.Path, "cheap GET route of family data")
	flag.IntVar(&c.MinTests, "tests", c.MinTests, "required `number` of uses within 100 ms after a narrowing call returned")
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
