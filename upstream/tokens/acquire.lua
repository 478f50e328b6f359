-- KEYS: value, lock, failure.
-- ARGV: owner, lease (ms), version that is to be replaced, whether to delete it (1 or 0).
-- Returns 'value' and the value when there is another version, 'failure' and its
-- record and rest (ms), 'wait' while another owner is at work, or 'lead'; and
-- last, whether the version has been deleted.
local value = redis.call('GET', KEYS[1])
local deleted = 0
if value then
  if string.match(value, '^%S*') ~= ARGV[3] then return {'value', value, 0, 0} end
  if ARGV[4] == '1' then deleted = redis.call('DEL', KEYS[1]) end
end
local failure = redis.call('GET', KEYS[3])
if failure then return {'failure', failure, redis.call('PTTL', KEYS[3]), deleted} end
if redis.call('GET', KEYS[2]) == ARGV[1] then return {'lead', '', 0, deleted} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'lead', '', 0, deleted} end
return {'wait', '', 0, deleted}
