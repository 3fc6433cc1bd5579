// Package simulate models the enforcement protocol by discrete events: nodes, one
// database and faults, in simulated time.
//
// It is independent of the product. It shares no code with changefeed, whose steps
// it repeats one round trip at a time. It opens no socket, reads no clock and
// touches no disk, so the same Config gives the same Result on every machine.
//
// The model shows how the cost of a revocation grows with the number of nodes, and
// which failures each rule of the protocol prevents.
package simulate

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Config describes a cluster, its load and its faults. Defaults sets all fields
// except Faults and Rules, whose zero values mean no faults and all rules.
type Config struct {
	Seed    uint64
	Nodes   int
	Span    time.Duration // simulated time
	Lease   time.Duration
	Load    Load
	Faults  Faults
	Machine Machine
	Rules   Rules
}

// Load is the number of calls per second.
type Load struct {
	Revokes    float64
	Imports    float64 // commits
	ImportRows int     // keys per import
}

// Faults sets the mean time between faults of one node and their mean length. A cut
// node serves requests without the database, a paused node does nothing, and a
// killed node is restarted as a new process.
type Faults struct {
	Cut, Pause, Kill time.Duration // mean time between two faults; 0: never
	Lasts            time.Duration
}

// Machine sets the speed of network, disk and database.
type Machine struct {
	Trip  Latency       // of a round trip between node and database
	Flush Latency       // of the disk; commits that arrive during a flush share the next one
	Row   time.Duration // to read and apply, or to write, a changed row
	Idle  time.Duration // after which the database ends an idle transaction; 0: never
	Keys  int           // that a joining node loads
}

// Latency is a log-normal distribution, given by two quantiles.
type Latency struct{ P50, P99 time.Duration }

// Rules switches rules of the protocol off, to show which failures they prevent.
type Rules struct {
	LeaseFromResponse bool // a lease starts with the response to its renewal
	StoppingClock     bool // the clock of a paused node stops
	ListBeforeCommit  bool // nodes are listed before the commit
	UnorderedNumbers  bool // numbers come from a database sequence instead of the clock row
	NotifyOnly        bool // a notified node is assumed to have applied the change
	FenceUnchecked    bool // a row is removed even if its node has renewed since
}

// Defaults returns a cluster of three nodes in one data centre, with disk flushes
// of a millisecond, one revocation per second and no faults.
func Defaults() Config {
	return Config{
		Seed: 1, Nodes: 3, Span: 10 * time.Minute, Lease: 4 * time.Second,
		Load: Load{Revokes: 1, ImportRows: 500},
		Machine: Machine{
			Trip:  Latency{P50: 300 * time.Microsecond, P99: time.Millisecond},
			Flush: Latency{P50: time.Millisecond, P99: 5 * time.Millisecond},
			Row:   8 * time.Microsecond, Idle: time.Second, Keys: 1_000_000,
		},
	}
}

// Run simulates c to its end. It uses only the caller's goroutine.
func Run(c Config) Result {
	r := &run{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0)), Result: Result{Config: c}}
	r.db.run = r
	for i := range c.Nodes {
		r.nodes = append(r.nodes, nil)
		r.start(i)
	}
	r.warm = r.loadTime() + 3*c.Lease // every node has joined by then
	r.repeat(c.Load.Revokes, func() { r.change(1, true) })
	r.repeat(c.Load.Imports, func() { r.change(c.Load.ImportRows, false) })
	r.scheduleFaults()
	for len(r.queue) > 0 && r.queue[0].at < r.warm+c.Span {
		e := heap.Pop(&r.queue).(event)
		r.now = e.at
		e.do()
	}
	return r.Result
}

// run is the state of a simulation.
type run struct {
	Config
	Result
	now    time.Duration
	warm   time.Duration // end of the warm-up, from when measurements count
	queue  eventQueue
	events int
	rng    *rand.Rand
	db     database
	nodes  []*node // the current process of each place
}

// schedule runs do after a delay.
func (r *run) schedule(delay time.Duration, do func()) {
	r.events++
	heap.Push(&r.queue, event{r.now + delay, r.events, do})
}

// repeat runs do at random times, perSecond times a second on average, from the
// end of the warm-up.
func (r *run) repeat(perSecond float64, do func()) {
	if perSecond <= 0 {
		return
	}
	mean := time.Duration(float64(time.Second) / perSecond)
	var next func()
	next = func() {
		do()
		r.schedule(r.exponential(mean), next)
	}
	r.schedule(r.warm-r.now+r.exponential(mean), next)
}

// exponential draws from an exponential distribution with a mean.
func (r *run) exponential(mean time.Duration) time.Duration {
	return time.Duration(r.rng.ExpFloat64() * float64(mean))
}

// sample draws from the distribution of l.
func (r *run) sample(l Latency) time.Duration {
	const z99 = 2.3263 // of the normal distribution
	sigma := math.Log(float64(l.P99)/float64(l.P50)) / z99
	return time.Duration(float64(l.P50) * math.Exp(sigma*r.rng.NormFloat64()))
}

// loadTime returns how long a node loads its snapshot.
func (c Config) loadTime() time.Duration { return time.Duration(c.Machine.Keys) * c.Machine.Row }

// event is a scheduled function. Events of the same time run in the order in which
// they were scheduled.
type event struct {
	at    time.Duration
	order int
	do    func()
}

// eventQueue is a heap of events, earliest first.
type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(e any)   { *q = append(*q, e.(event)) }
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last], *q = event{}, (*q)[:last]
	return e
}
