package rig

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// network is a node's own: a namespace of the kernel's, and a cable from there
// to this machine. A process keeps the namespace open, so that both are gone
// with the rig, however it ends.
type network struct {
	keeper     *exec.Cmd
	cable      string
	host, node netip.Addr // the cable's ends
}

// newNetwork takes root, and the programs ip, nsenter and iptables.
func newNetwork() (*network, error) {
	k := exec.Command("sleep", "infinity")
	k.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := k.Start(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	// Four addresses of the block for tests of networks, 198.18.0.0/15.
	at := rand.IntN(1 << 15)
	host := netip.AddrFrom4([4]byte{198, byte(18 + at>>14), byte(at >> 6), byte(at<<2 | 1)})
	n := &network{keeper: k, cable: fmt.Sprintf("toksta%08x", rand.Uint32()), host: host, node: host.Next()}
	enter := "nsenter -t " + n.pid() + " -n "
	for _, command := range []string{
		"ip link add " + n.cable + " type veth peer name inside netns " + n.pid(),
		"ip addr add " + n.host.String() + "/30 dev " + n.cable,
		"ip link set " + n.cable + " up",
		enter + "ip addr add " + n.node.String() + "/30 dev inside",
		enter + "ip link set inside up",
		enter + "ip link set lo up",
		enter + "iptables -w -F",
	} {
		if err := run(command); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

// tryNetwork says why there can be no networks here, nil if there can.
func tryNetwork() error {
	n, err := newNetwork()
	if err != nil {
		return err
	}
	n.close()
	return nil
}

// pid is that of a process inside.
func (n *network) pid() string { return strconv.Itoa(n.keeper.Process.Pid) }

// close takes the network away.
func (n *network) close() {
	_ = run("ip link del " + n.cable)
	_ = n.keeper.Process.Kill()
	_ = n.keeper.Wait()
}

// run executes a command line without quotes.
func run(line string) error {
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, bytes.TrimSpace(out))
	}
	return nil
}

// flow is one direction between a node and a peer, as its packet filter tells
// it.
type flow func(*node) string

// The four flows of a node.
func toDatabase(n *node) string   { return "OUTPUT -p tcp --dport " + n.link.port() }
func fromDatabase(n *node) string { return "INPUT -p tcp --sport " + n.link.port() }
func toNode(*node) string         { return "INPUT -p tcp --dport " + insidePort }
func fromNode(*node) string       { return "OUTPUT -p tcp --sport " + insidePort }

// dropping throws the packets of flows away, in the kernel, for longer than a
// lease. Nobody is told, as when a cable is pulled.
func dropping(kind string, database bool, flows ...flow) card {
	return card{kind: kind, network: true, play: func(n *nemesis, ctx context.Context, at hit) {
		target := n.cluster.nodes[at.node]
		filter := "nsenter -t " + target.network.pid() + " -n iptables -w "
		for _, f := range flows {
			if err := run(filter + "-A " + f(target) + " -j DROP"); err != nil {
				n.cluster.fail(err)
			}
		}
		n.lasting(fault{kind: kind, node: at.node, cut: database, deaf: !database}, func() { rest(ctx, n.leases(1.2+at.luck)) })
		if err := run(filter + "-F"); err != nil {
			n.cluster.fail(err)
		}
	}}
}
