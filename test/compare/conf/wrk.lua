-- Arguments: the round, and the file of secrets if requests have a credential.
-- Requests are built before the load starts.
local requests, last = {}, 0

function init(args)
  if args[2] then
    for secret in io.lines(args[2]) do
      requests[#requests + 1] = wrk.format("GET", nil, {Authorization = "Bearer " .. secret})
    end
  else
    requests[1] = wrk.format("GET")
  end
  last = args[1] * 7919 % #requests
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"micros":%d,"bad_status":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
