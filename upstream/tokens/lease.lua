-- KEYS: lock. ARGV: owner, lease (ms; 0 gives the lock up).
-- Returns 1 when the lock was the owner's, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
