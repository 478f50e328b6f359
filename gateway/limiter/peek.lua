-- KEYS: those of take.lua, of which nothing is written.
-- Returns the time (us), the rate's theoretical arrival time (us), the quota's count and how long it lives (ms).
local time = redis.call('TIME')
return {
  tonumber(time[1]) * 1000000 + tonumber(time[2]),
  tonumber(redis.call('GET', KEYS[1]) or '0'),
  tonumber(redis.call('GET', KEYS[2]) or '0'),
  redis.call('PTTL', KEYS[2]),
}
