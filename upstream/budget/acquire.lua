-- KEYS, after those of the ledger: the consumer's line, a sorted set of its calls
-- that were told to come back, by when.
-- ARGV, after those of the ledger: the consumer, the call's name, 1 = it asked
-- before, requests a window (0 = unlimited), of which reserved for the gateway's
-- own calls (consumer ""), concurrent calls (0 = unlimited), a lease (us), the
-- log's grain (us, 0 = exact), how long a place in the line is kept after its time
-- (us), how long a consumer counts as stuck (us).
-- Returns 1 = granted, how long to wait (us), what is lacking (0 nothing, 1
-- requests, 2 concurrency, 3 the hospital is closed), the log's entry, the time.
local line_key = KEYS[5]
local me, call, again = ARGV[3], ARGV[4], ARGV[5] == '1'
local requests, reserved, concurrency = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local lease_time, grain, grace, stuck_time = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local system = me == ''
local most_in_line = 10 * requests

local mine = record(me)
local asks = recently(mine)
if not again then asks = math.min(asks + 1, math.max(requests, 1)) end

-- spare returns how many requests are left for this consumer.
local function spare()
  if system then return requests - total end
  local own = records[''] and records[''].used or 0
  return requests - total - math.max(reserved - own, 0)
end

-- expected returns how many requests a consumer would ask for in a window if it went
-- on as lately. One call alone says nothing of it.
local function expected(r)
  local lately = recently(r)
  local more = math.min(math.max(lately - 1, 0) * window / memory, requests)
  return math.ceil(math.min(lately, 1) + more)
end

-- wanted returns how many requests a consumer wants now: what is expected of it, or
-- its line once the first of it has its turn.
local function wanted(r)
  if r.next <= now and now < r.next + grace then return math.max(expected(r), r.line) end
  return expected(r)
end

-- kept returns how many of the spare requests the others need first: those
-- who have had less and want some, until they have had as much.
local function kept()
  local sum = 0
  if system then return 0 end
  for id, r in pairs(records) do
    if id == '' then
      sum = sum + math.max(wanted(r) > 0 and r.line - reserved or 0, 0)
    elseif r.used < mine.used then
      sum = sum + math.min(mine.used - r.used, wanted(r))
    end
  end
  return sum
end

-- freed returns when the n-th of the requests that are used now is free again,
-- the first being n = 0. Beyond the last it assumes that each is used at once.
local function freed(n)
  local rounds = math.floor(n / requests)
  n = n % requests
  if n >= total then return now + rounds * window end
  local length = redis.call('LLEN', log_key)
  local entry = redis.call('LINDEX', log_key, math.floor(n * length / total))
  if not entry then return now + rounds * window end
  return tonumber(string.match(entry, '%S+')) + (rounds + 1) * window + 1
end

-- line_up drops from the consumer's line those who did not come back in time. A
-- call that is new takes the place of one that is due: it is the same come back.
local function line_up()
  redis.call('ZREMRANGEBYSCORE', line_key, '-inf', string.format('(%.0f', now - grace))
  if not again then
    local due = redis.call('ZRANGEBYSCORE', line_key, '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, 1)
    if due[1] then
      redis.call('ZREM', line_key, due[1])
      redis.call('ZADD', line_key, due[2], call)
      again = true
    end
  end
  mine.line = redis.call('ZCARD', line_key)
end

-- turn returns when a call has its turn that is the own-th of its consumer, after
-- the others' calls that come before it: those in their lines, and, while they go
-- on asking, as many more as are their share of a window.
local function turn(own, free)
  local all, askers = own, 0
  for _, r in pairs(records) do
    if expected(r) > 0 then askers = askers + 1 end
  end
  local share = math.ceil(requests / math.max(askers, 1))
  for id, r in pairs(records) do
    if id ~= me and not system then
      local before = own + mine.used - r.used
      if id == '' then before = r.line end
      all = all + math.min(r.line + math.min(expected(r), share), math.max(before, 0))
    end
  end
  if all <= free then return now end
  return freed(math.min(all, most_in_line) - 1 - free)
end

-- place returns the call's place among those of its consumer, from 1: the last, or,
-- if its turn has come, the first that was not promised to another: there are
-- fewer promises until its turn than places. (Turns that are a little apart count as
-- one, so that this ends soon.)
local function place(free)
  if not again then return mine.line + 1 end
  local own, promised = 0, 0
  while promised >= own and own <= mine.line do
    own = promised + 1
    local apart = turn(own, free) + window / 64
    promised = redis.call('ZCOUNT', line_key, string.format('(%.0f', now), string.format('%.0f', apart))
  end
  return own
end

-- log adds the call to the log and returns its entry.
local function log()
  if grain == 0 then
    local entry = string.format('%.0f 1 %s', now, me)
    redis.call('RPUSH', log_key, entry)
    return entry
  end
  local time = string.format('%.0f', math.floor(now / grain) * grain + grain)
  local at = -1
  while true do
    local entry = redis.call('LINDEX', log_key, at)
    local last, calls, id = string.match(entry or '', '(%S+) (%S+) (.*)')
    if last ~= time then
      redis.call('RPUSH', log_key, time .. ' 1 ' .. me)
      return ''
    end
    if id == me then
      redis.call('LSET', log_key, at, time .. ' ' .. string.format('%d', tonumber(calls) + 1) .. ' ' .. me)
      return ''
    end
    at = at - 1
  end
end

-- occupied says whether all concurrent calls are under way, or the last places
-- are for others who wait and hold fewer.
local function occupied()
  redis.call('ZREMRANGEBYSCORE', leases_key, '-inf', string.format('%.0f', now))
  local members = redis.call('ZRANGE', leases_key, 0, -1)
  local held = {}
  for _, member in ipairs(members) do
    local id = string.match(member, '%S+ (.*)')
    held[id] = (held[id] or 0) + 1
  end
  local left = concurrency - #members
  for id, r in pairs(records) do
    if r.stuck > now and id ~= me and (held[id] or 0) < (held[me] or 0) then left = left - 1 end
  end
  return left <= 0
end

local lacking, opens, entry, wait = 0, tonumber(redis.call('GET', closed_key) or '0'), '', 0
if opens > now then
  lacking = 3
elseif requests > 0 and spare() <= kept() then
  lacking = 1
elseif concurrency > 0 and not system and occupied() then
  lacking = 2
end

if requests > 0 then line_up() end
mine.asks, mine.at = asks, now
if lacking == 0 then
  if requests > 0 then
    entry = log()
    mine.used = mine.used + 1
    mine.line = mine.line - redis.call('ZREM', line_key, call)
  end
  if concurrency > 0 and not system then
    redis.call('ZADD', leases_key, string.format('%.0f', now + lease_time), call)
    redis.call('PEXPIRE', leases_key, math.ceil(lease_time / 1000))
  end
  mine.stuck = 0
elseif lacking == 2 then
  mine.stuck = now + stuck_time
else
  local due = opens
  if requests > 0 then
    local free = spare()
    local own = place(free)
    due = turn(own, free)
    -- What is kept for others is free again when they stop asking.
    if free > 0 then due = math.min(due, now + memory) end
    due = math.max(due, opens)
    if own <= most_in_line then
      mine.line = mine.line + redis.call('ZADD', line_key, string.format('%.0f', due), call)
      mine.to = math.max(mine.to, due + grace)
    end
  end
  wait = due - now
end

if requests > 0 or concurrency > 0 then
  if mine.line > 0 then mine.next = tonumber(redis.call('ZRANGE', line_key, 0, 0, 'WITHSCORES')[2]) end
  save(me)
  local life = math.ceil((11 * window + grace + stuck_time) / 1000)
  redis.call('PEXPIRE', consumers_key, life)
  if requests > 0 then redis.call('PEXPIRE', lacking == 0 and log_key or line_key, life) end
end
return {lacking == 0 and 1 or 0, math.ceil(wait), lacking, entry, now}
