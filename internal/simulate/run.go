// Package simulate plays the enforcement protocol as a model of discrete
// events: nodes, one database and the faults between them, in simulated time.
//
// It stands beside the product and on none of its paths. It shares no code
// with changefeed, whose steps it retraces one round trip at a time, and never
// opens a socket, reads a clock or touches a disk: the same Config gives the
// same Result on every machine.
//
// It answers how the cost of a revocation grows with the number of nodes, and
// shows each rule of the protocol by what goes wrong without it.
package simulate

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Config is one cluster and what happens to it. Faults and Rules may stay
// zero; Defaults sets the rest.
type Config struct {
	Seed    uint64
	Nodes   int
	Span    time.Duration // how much time is simulated
	Lease   time.Duration
	Load    Load
	Faults  Faults
	Machine Machine
	Rules   Rules
}

// Load is what operators and customers do to the cluster, per second.
type Load struct {
	Revokes    float64
	Imports    float64 // commits
	ImportRows int     // keys in each
}

// Faults is how often each happens to one node, and how long it lasts on
// average. A node that is cut off goes on serving without the database, a
// paused one does nothing, a killed one comes back as a new process.
type Faults struct {
	Cut, Pause, Kill time.Duration // mean time between two; 0: never
	Lasts            time.Duration
}

// Machine is how fast things are.
type Machine struct {
	Trip  Latency       // a round trip between node and database
	Flush Latency       // making a commit durable; commits in between share the next
	Row   time.Duration // reading a changed row and applying it, or writing it
	Idle  time.Duration // after which the database ends a silent transaction; 0: never
	Keys  int           // that a joining node loads
}

// Latency is log-normal, given by two of its quantiles.
type Latency struct{ P50, P99 time.Duration }

// Rules are departures from what is built. Each breaks a rule of the
// protocol, to show what it is there for.
type Rules struct {
	LeaseFromAnswer bool // a lease starts when its renewal is answered
	StoppingClock   bool // a paused node's clock stands still
	ListFirst       bool // the nodes are listed before the commit
	SerialNumbers   bool // numbers come from a sequence, not from the clock row
	WakeOnly        bool // a woken node is believed to know
	FenceBlindly    bool // a row is removed though its node has renewed meanwhile
}

// Defaults is a cluster of three in one data centre, on disks that flush in a
// millisecond, with a revocation a second and no faults.
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

// Run plays c to its end. It uses one goroutine, the caller's.
func Run(c Config) Result {
	r := &run{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0)), Result: Result{Config: c}}
	r.db.run = r
	for i := range c.Nodes {
		r.nodes = append(r.nodes, nil)
		r.start(i)
	}
	// Every node has joined before the first call.
	r.warm = r.joinTime() + 3*c.Lease
	r.every(c.Load.Revokes, func() { r.change(1, true) })
	r.every(c.Load.Imports, func() { r.change(c.Load.ImportRows, false) })
	r.breakThings()
	for len(r.calendar) > 0 && r.calendar[0].at < r.warm+c.Span {
		e := heap.Pop(&r.calendar).(event)
		r.now = e.at
		e.do()
	}
	return r.Result
}

// run is a cluster at one moment.
type run struct {
	Config
	Result
	now      time.Duration
	warm     time.Duration // when counting starts
	calendar calendar
	events   int
	rng      *rand.Rand
	db       database
	nodes    []*node // the present process of each
}

// after makes do happen later.
func (r *run) after(d time.Duration, do func()) {
	r.events++
	heap.Push(&r.calendar, event{r.now + d, r.events, do})
}

// every makes do happen perSecond times a second on average, at random, from
// the end of the warm-up.
func (r *run) every(perSecond float64, do func()) {
	if perSecond <= 0 {
		return
	}
	mean := time.Duration(float64(time.Second) / perSecond)
	var next func()
	next = func() {
		do()
		r.after(r.about(mean), next)
	}
	r.after(r.warm-r.now+r.about(mean), next)
}

// about draws from an exponential distribution.
func (r *run) about(mean time.Duration) time.Duration {
	return time.Duration(r.rng.ExpFloat64() * float64(mean))
}

func (r *run) draw(l Latency) time.Duration {
	const z99 = 2.3263 // of the normal distribution
	sigma := math.Log(float64(l.P99)/float64(l.P50)) / z99
	return time.Duration(float64(l.P50) * math.Exp(sigma*r.rng.NormFloat64()))
}

// joinTime is how long a new node loads its snapshot.
func (c Config) joinTime() time.Duration { return time.Duration(c.Machine.Keys) * c.Machine.Row }

// event is something that will happen; those at one moment in the order in
// which they were planned.
type event struct {
	at    time.Duration
	order int
	do    func()
}

// calendar is a heap of events, the next one first.
type calendar []event

func (c calendar) Len() int { return len(c) }
func (c calendar) Less(i, j int) bool {
	return c[i].at < c[j].at || c[i].at == c[j].at && c[i].order < c[j].order
}
func (c calendar) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *calendar) Push(e any)   { *c = append(*c, e.(event)) }
func (c *calendar) Pop() any {
	last := len(*c) - 1
	e := (*c)[last]
	(*c)[last], *c = event{}, (*c)[:last]
	return e
}
