-- KEYS: value, lock, failure, attempts. ARGV: owner, value, life (ms).
-- Stores the value and gives the lock up. Returns 1, or, when the lock is not
-- the owner's any more, 0 and the value that is there.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {0, redis.call('GET', KEYS[1]) or ''} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return {1, ''}
