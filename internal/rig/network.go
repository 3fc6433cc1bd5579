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

// network is a network namespace of a node, connected to this machine by a veth
// pair. A child process holds the namespace, so that the kernel removes both when
// the rig ends.
type network struct {
	holder     *exec.Cmd
	veth       string
	host, node netip.Addr // its ends
}

// newNetwork needs root and the programs ip, nsenter and iptables.
func newNetwork() (*network, error) {
	k := exec.Command("sleep", "infinity")
	k.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := k.Start(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	// Four addresses of 198.18.0.0/15, which is reserved for network tests.
	at := rand.IntN(1 << 15)
	host := netip.AddrFrom4([4]byte{198, byte(18 + at>>14), byte(at >> 6), byte(at<<2 | 1)})
	n := &network{holder: k, veth: fmt.Sprintf("toksta%08x", rand.Uint32()), host: host, node: host.Next()}
	enter := "nsenter -t " + n.pid() + " -n "
	for _, command := range []string{
		"ip link add " + n.veth + " type veth peer name inside netns " + n.pid(),
		"ip addr add " + n.host.String() + "/30 dev " + n.veth,
		"ip link set " + n.veth + " up",
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

// tryNetwork returns an error if this machine does not support network namespaces.
func tryNetwork() error {
	n, err := newNetwork()
	if err != nil {
		return err
	}
	n.close()
	return nil
}

// pid returns the id of a process in the namespace.
func (n *network) pid() string { return strconv.Itoa(n.holder.Process.Pid) }

// close removes the network.
func (n *network) close() {
	_ = run("ip link del " + n.veth)
	_ = n.holder.Process.Kill()
	_ = n.holder.Wait()
}

// run executes a command line that contains no quotes.
func run(line string) error {
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, bytes.TrimSpace(out))
	}
	return nil
}

// flow returns the iptables match of one direction between a node and a peer.
type flow func(*node) string

// The four flows of a node.
func toDatabase(n *node) string   { return "OUTPUT -p tcp --dport " + n.link.port() }
func fromDatabase(n *node) string { return "INPUT -p tcp --sport " + n.link.port() }
func toNode(*node) string         { return "INPUT -p tcp --dport " + insidePorts }
func fromNode(*node) string       { return "OUTPUT -p tcp --sport " + insidePorts }

// dropping returns a fault that drops the packets of flows in the kernel for longer
// than a lease. Neither end is informed, as with an unplugged cable.
func dropping(kind string, database bool, flows ...flow) faultKind {
	return faultKind{kind: kind, network: true, inject: func(n *nemesis, ctx context.Context, at injection) {
		target := n.cluster.nodes[at.node]
		filter := "nsenter -t " + target.network.pid() + " -n iptables -w "
		for _, f := range flows {
			if err := run(filter + "-A " + f(target) + " -j DROP"); err != nil {
				n.cluster.fail(err)
			}
		}
		n.record(fault{kind: kind, node: at.node, cut: database, unreachable: !database}, func() { sleep(ctx, n.leases(1.2+at.luck)) })
		if err := run(filter + "-F"); err != nil {
			n.cluster.fail(err)
		}
	}}
}
