package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loadAverage returns the load of the last minute.
func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}

// machine describes the machine and the programs in the lines above the tables.
func (b *bench) machine(ctx context.Context, now time.Time, load float64) (string, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	model := "unknown processor"
	for line := range strings.Lines(string(info)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	var programs []string
	for _, command := range [][]string{{b.binary, "version"}, {"haproxy", "-v"}, {"nginx", "-v"}, {"caddy", "version"}} {
		out, err := b.output(ctx, command[0], command[1:]...)
		if err != nil {
			return "", err
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		switch command[0] {
		case b.binary:
			first = "Toksta " + first
		case "caddy":
			first = "Caddy " + first
		}
		programs = append(programs, strings.Join(strings.Fields(first), " "))
	}
	return fmt.Sprintf("%s, %s. %s, %d cores, Linux %s, load %.2f at the start. %s. The net/http servers are built with %s.\n",
		now.UTC().Format(time.DateOnly), count(b.rounds, "round"), model, runtime.NumCPU(),
		strings.TrimSpace(string(kernel)), load, strings.Join(programs, "; "), runtime.Version()), nil
}

// decisionBenchmark runs the benchmark of Toksta's decision and returns its lines.
func (b *bench) decisionBenchmark(ctx context.Context) (string, error) {
	out, err := b.output(ctx, "taskset", "-c", strconv.Itoa(b.serverCore),
		b.verifyTest, "-test.run", "^$", "-test.bench", "^BenchmarkVerify$", "-test.benchtime", "1s")
	if err != nil {
		return "", err
	}
	return decisionTable(string(out)), nil
}

// decisionTable converts the output of BenchmarkVerify to a table.
func decisionTable(output string) string {
	var rows []string
	for line := range strings.Lines(output) {
		name, found := strings.CutPrefix(line, "BenchmarkVerify/")
		if !found {
			continue
		}
		fields := strings.Fields(name)
		values := map[string]string{}
		for i := 2; i+1 < len(fields); i += 2 {
			values[fields[i+1]] = fields[i]
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", fields[0], values["ns/op"], values["x-sha256"]))
	}
	slices.Sort(rows) // the benchmark's order is random
	return "| Toksta's decision alone | ns | × SHA-256 of the secret |\n| --- | --- | --- |\n" + strings.Join(rows, "")
}
