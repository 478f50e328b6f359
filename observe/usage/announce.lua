-- KEYS: the consumers of a day in the order of their last changes. ARGV: seconds to keep them, then those that
-- changed now.
-- Each gets a place after all that were given before: a reader who saw the last one misses nothing that comes.
-- Places are times, so that they go on rising when Redis has lost the set.
local time = redis.call('TIME')
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local place = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), tonumber(last[2] or '0') + 1)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.0f', place + i - 2), ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
