package app

import (
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/downstream"
)

const (
	// reservedFiles is the number of open files for operators and databases. A process
	// that may open fewer than four times as many reserves a quarter.
	reservedFiles = 128
	// defaultConnections limits the memory of client connections.
	defaultConnections = 16 << 10
	// maxRemote limits the connections of operators and back ends on other machines, and
	// those of proxies that ask for decisions.
	maxRemote = 1 << 10
)

// slots limits the connections that may be open at once. Without a limit, clients could
// use up the open files of the process, and no operator could revoke a key.
type slots struct {
	clients   downstream.Slots // of the public and pages listeners
	operators downstream.Slots // of the operator listener, so that clients cannot use them up
	proxies   downstream.Slots // of the listener for proxies that ask, for the same reason
	upstreams chan struct{}
}

// countSlots divides the number of files that this process may open: some for
// operators and databases, at most half of the rest for clients, and what remains for
// upstreams and, up to maxRemote each, for operators on other machines and for proxies
// that ask. Without a configured number, clients get at most defaultConnections.
func (a *App) countSlots() slots {
	limit := unix.Rlimit{Cur: 4 * defaultConnections}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		a.log.Warn("the limit on open files is unknown", "error", err)
	}
	files := int(min(limit.Cur, 1<<20))
	free := files - min(reservedFiles, files/4)
	wanted := a.config.Gateway.MaxConnections
	clients := min(free/2, defaultConnections)
	if wanted > 0 {
		clients = min(wanted, free/2)
	}
	if wanted > clients {
		a.log.Warn("the limit on open files allows fewer client connections than configured",
			"gateway.max_connections", wanted, "allowed", clients, "open_files", files)
	}
	share := min((free-clients)/4, maxRemote)
	remote := func(address string) int {
		if address == "" {
			return 0
		}
		return share
	}
	operators, proxies := remote(a.config.Listen.Operator.Address), remote(a.config.Listen.ForwardAuth)
	return slots{
		clients: make(downstream.Slots, clients), operators: make(downstream.Slots, operators), proxies: make(downstream.Slots, proxies),
		upstreams: make(chan struct{}, free-clients-operators-proxies),
	}
}
