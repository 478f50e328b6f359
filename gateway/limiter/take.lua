-- KEYS: the rate's theoretical arrival time (microseconds), the quota's count.
-- ARGV: cost of the call in units, microseconds a unit (0 = no rate), burst and quota in units
-- (quota 0 = none), quota period (ms).
-- Returns allowed, quota is tighter, limit, remaining, reset (us), retry after (us).
local cost, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local quota, period = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local arrival, rate_wait = now, 0
if interval > 0 then
  arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  -- A cost above the burst passes a full bucket; the rest is a debt, of a day at most.
  rate_wait = arrival + math.min(cost, burst) * interval - burst * interval - now
  if rate_wait <= 0 then arrival = arrival + math.min(cost * interval, math.max(burst * interval, 86400000000)) end
end

local used, left_ms = 0, period
if quota > 0 then
  cost = math.min(cost, quota)
  used = tonumber(redis.call('GET', KEYS[2]) or '0')
  if used > 0 then
    left_ms = redis.call('PTTL', KEYS[2])
    if left_ms < 0 then left_ms = period end
  end
  if used + cost > quota then
    return {0, 1, quota, quota - used, left_ms * 1000, left_ms * 1000}
  end
end

local rate_left = math.max(burst - math.ceil((arrival - now) / math.max(interval, 1)), 0)
if rate_wait > 0 then
  return {0, 0, burst, rate_left, arrival - now, math.ceil(rate_wait)}
end

if interval > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
end
if quota > 0 then
  redis.call('INCRBY', KEYS[2], cost)
  if used == 0 then redis.call('PEXPIRE', KEYS[2], period) end
end

if quota > 0 and (interval == 0 or quota - used - cost < rate_left) then
  return {1, 1, quota, quota - used - cost, left_ms * 1000, 0}
end
return {1, 0, burst, rate_left, arrival - now, 0}
