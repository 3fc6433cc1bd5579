package app

import (
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/downstream"
)

const (
	// reservedFiles are open files for operators and databases, less only if the
	// process may open fewer than four times as many.
	reservedFiles = 128
	// defaultConnections bounds the memory that clients can take.
	defaultConnections = 16 << 10
)

// slots are the connections that may be open at once. Without a bound, clients
// could take the last of the process's files, and nobody could revoke a key.
type slots struct {
	clients   downstream.Slots
	upstreams chan struct{}
}

// countSlots divides the files that this process may open: some for operators,
// the rest half and half for clients and upstreams, unless the configuration
// allows fewer clients.
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
	return slots{clients: make(downstream.Slots, clients), upstreams: make(chan struct{}, free-clients)}
}
