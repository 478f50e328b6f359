-- KEYS, after those of the ledger: the consumer's line.
-- ARGV, after those of the ledger: the consumer, the call's name, the log's entry
-- of a call that was granted and not made ("" = none).
local me, call, entry = ARGV[3], ARGV[4], ARGV[5]
redis.call('ZREM', leases_key, call)
local left = redis.call('ZREM', KEYS[5], call)
local mine = records[me]
if mine then
  mine.line = math.max(mine.line - left, 0)
  if entry ~= '' and redis.call('LREM', log_key, -1, entry) > 0 then
    mine.used = math.max(mine.used - 1, 0)
  end
  save(me)
end
return 1
