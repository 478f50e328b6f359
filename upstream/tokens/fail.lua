-- KEYS: lock, failure, attempts.
-- ARGV: owner, record, first pause, longest pause, least pause, memory of attempts (all ms).
-- Remembers the failure for a pause that doubles with each attempt, and gives
-- the lock up. Returns attempts and pause, both 0 when the lock is not the
-- owner's any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, 0} end
local attempts = redis.call('INCR', KEYS[3])
local pause = math.min(tonumber(ARGV[3]) * 2 ^ math.min(attempts - 1, 20), tonumber(ARGV[4]))
pause = math.ceil(math.max(pause, tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[3], pause + ARGV[6])
redis.call('SET', KEYS[2], ARGV[2], 'PX', pause)
redis.call('DEL', KEYS[1])
return {attempts, pause}
