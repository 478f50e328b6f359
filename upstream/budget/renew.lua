-- KEYS: the leases. ARGV: a lease (us), the leases' names.
-- A lease that was released or has run out meanwhile stays so.
local clock = redis.call('TIME')
local ends = tonumber(clock[1]) * 1000000 + tonumber(clock[2]) + tonumber(ARGV[1])
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', ends), ARGV[i])
end
return redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) / 1000))
