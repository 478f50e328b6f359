-- KEYS: when the hospital opens again, how often it closed without saying for
-- how long.
-- ARGV: for how long to close (us), 1 = the hospital did not say for how long,
-- the longest of such (us).
-- Returns when the hospital opens again (us).
local time, guessed, longest = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local opens = tonumber(redis.call('GET', KEYS[1]) or '0')
if guessed then
  -- Calls that were under way together are told together: that is no repetition.
  if opens > now then return opens end
  local times = redis.call('INCR', KEYS[2])
  time = math.min(time * 2 ^ (times - 1), longest)
  redis.call('PEXPIRE', KEYS[2], math.ceil(2 * time / 1000))
end
if now + time > opens then
  opens = now + time
  redis.call('SET', KEYS[1], string.format('%.0f', opens), 'PX', math.max(math.ceil(time / 1000), 1))
end
return opens
