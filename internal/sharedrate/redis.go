package sharedrate

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/sdk/toksta"
)

// Limits of the connections to Redis. Idle connections are closed before a firewall
// drops them, which would look like a failure.
const (
	maxConns = 64
	maxIdle  = 30 * time.Second
)

// server is a pool of connections to the Redis, and the script that runs there.
type server struct {
	pool *redis.Pool
	take *redis.Script
}

// newServer returns a server that opens connections when calls need them, and uses
// an idle one again if fresh returns true for the time of its last use. Each step
// of connecting has a timeout, because a hanging machine accepts connections
// without responding.
func newServer(c Config, fresh func(time.Time) bool) server {
	return server{take: redis.NewScript(-1, script), pool: &redis.Pool{
		MaxActive: maxConns, MaxIdle: maxConns, IdleTimeout: maxIdle, Wait: true,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialURLContext(ctx, c.URL, redis.DialConnectTimeout(c.Timeout), redis.DialTLSHandshakeTimeout(c.Timeout),
				redis.DialReadTimeout(c.Timeout), redis.DialWriteTimeout(c.Timeout))
		},
		TestOnBorrow: func(_ redis.Conn, used time.Time) error {
			if !fresh(used) {
				return errors.New("older than the last failure")
			}
			return nil
		},
	}}
}

// script counts a call in every window of KEYS, or in none if one of them has no
// room for it, atomically. ARGV contains the number of calls as which the call
// counts. Then it contains, for each window, its limit, the number of calls that
// this node knows of, from which a Redis that lost its data continues, and the time
// in seconds after which the window expires. The result is 1 if the call was
// counted, otherwise 0, and then the count of each window.
const script = `
local weight, taken, room = tonumber(ARGV[1]), {}, true
for i, window in ipairs(KEYS) do
	local limit, known = tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i])
	taken[i] = math.max(tonumber(redis.call('GET', window) or 0), known)
	room = room and taken[i] + weight <= limit
end
if room then
	for i, window in ipairs(KEYS) do
		taken[i] = taken[i] + weight
		redis.call('SET', window, taken[i], 'EX', ARGV[3*i+1])
	end
end
return {room and 1 or 0, unpack(taken)}`

// count runs the script on the windows of w, and reports whether the call was
// counted. It takes one round trip, or two for the first call to a Redis that does
// not have the script. The returned counts include the call if it was counted.
func (s server) count(ctx context.Context, w ratelimit.Window, known ratelimit.Counts) (ratelimit.Counts, bool, error) {
	conn, err := s.pool.GetContext(ctx)
	if err != nil {
		return known, false, err
	}
	defer conn.Close()
	reply, err := redis.Ints(s.take.DoContext(ctx, conn, arguments(w, known)...))
	if err != nil {
		return known, false, err
	}
	taken, next := known, 1
	for i := range taken {
		if w.IsCounted(i) && next < len(reply) {
			taken[i].Calls = reply[next]
			next++
		}
	}
	if next != len(reply) {
		return known, false, errors.New("the response to the script has an unexpected form")
	}
	return taken, reply[0] == 1, nil
}

// arguments returns the arguments of the script: the number of windows, their names,
// and ARGV.
func arguments(w ratelimit.Window, known ratelimit.Counts) []any {
	names, values := make([]any, 1, 5+1+3*len(known)), make([]any, 1, 1+3*len(known))
	values[0] = w.Calls()
	for i, count := range known {
		if !w.IsCounted(i) {
			continue
		}
		limit, limited := w.Limit(i)
		if !limited {
			limit = math.MaxInt32 // the key has no limit of its own
		}
		names = append(names, windowName(w, i, count.Number))
		// Twice the length of the window, because the clocks of nodes can differ.
		values = append(values, limit, count.Calls, 2*w.Length(i).Seconds())
	}
	names[0] = len(names) - 1
	return append(names, values...)
}

// windowName returns the name in Redis of the window with the index i and a number.
// Because of the braces, all windows of an account and its keys are on the same node
// of a Redis cluster.
func windowName(w ratelimit.Window, i int, number int64) string {
	name := "toksta:rate:{" + string(w.Account) + "}:"
	switch w.Length(i) {
	case toksta.WindowHour:
		name += "hour:"
	case toksta.WindowDay:
		name += "day:"
	}
	name += strconv.FormatInt(number, 10)
	if w.IsKey(i) {
		name += ":" + string(w.Key)
	}
	return name
}

func (s server) ping(ctx context.Context) error {
	conn, err := s.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = redis.DoContext(conn, ctx, "PING")
	return err
}
