-- KEYS: the counts of a consumer's day. ARGV: the recorder's mark, the number of its flush, seconds to keep
-- the counts, then fields and what they grow by in turn.
-- A flush whose answer was lost comes again under its number, and one that was late may come after the next.
if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
