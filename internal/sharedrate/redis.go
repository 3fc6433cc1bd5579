package sharedrate

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/toksta/toksta/internal/ratelimit"
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
	return server{take: redis.NewScript(2, script), pool: &redis.Pool{
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

// script counts a call in every window of KEYS, or in none if one of them is full,
// atomically. For each window, ARGV contains its limit and the number of calls that
// this node knows of, from which a Redis that lost its data continues. The result
// is 1 if the call was counted, otherwise 0, and then the count of each window. A
// window expires after two minutes, because the clocks of nodes can differ.
const script = `
local taken, room = {}, true
for i, window in ipairs(KEYS) do
	local limit, known = tonumber(ARGV[2*i-1]), tonumber(ARGV[2*i])
	taken[i] = math.max(tonumber(redis.call('GET', window) or 0), known)
	room = room and taken[i] < limit
end
if room then
	for i, window in ipairs(KEYS) do
		taken[i] = taken[i] + 1
		redis.call('SET', window, taken[i], 'EX', 120)
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
	account, keyLimit := windowName(w, known.Minute), w.KeyLimit
	if keyLimit < 1 {
		keyLimit = math.MaxInt32 // the key has no limit of its own
	}
	reply, err := redis.Ints(s.take.DoContext(ctx, conn,
		account, account+":"+string(w.Key), w.AccountLimit, known.Account, keyLimit, known.Key))
	if err != nil {
		return known, false, err
	}
	if len(reply) != 3 {
		return known, false, errors.New("the response to the script has an unexpected form")
	}
	return ratelimit.Counts{Minute: known.Minute, Account: reply[1], Key: reply[2]}, reply[0] == 1, nil
}

// windowName returns the name in Redis of the account's window of a minute, with
// which the names of its keys' windows begin. Because of the braces, all of them
// are on the same node of a Redis cluster.
func windowName(w ratelimit.Window, minute int64) string {
	return "toksta:rate:{" + string(w.Account) + "}:" + strconv.FormatInt(minute, 10)
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
