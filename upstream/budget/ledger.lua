-- The common beginning of the scripts that look at the ledger.
-- KEYS: the log, the consumers, the leases, when the hospital opens again; more
-- may follow.
-- ARGV: the window (us), the memory (us).
--
-- The log is a list of grants, oldest first, each "<time> <calls> <consumer>".
-- The consumers are a hash of records, each "<used> <asks> <at> <line> <next> <to> <stuck>":
--   used   calls in the log
--   asks   how often it asked lately, as of <at>; fades to nothing within the memory
--   at     when it last asked
--   line   how many of its calls were told to come back and have not, as of <at>
--   next   when the first of these has its turn
--   to     when the last of these loses its place
--   stuck  until when it counts as waiting for a concurrent call to end
-- All times are microseconds since 1970 on Redis' own clock.
local log_key, consumers_key, leases_key, closed_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local window, memory = tonumber(ARGV[1]), tonumber(ARGV[2])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local records, total = {}, 0

local function record(id)
  if not records[id] then
    records[id] = {used = 0, asks = 0, at = 0, line = 0, next = 0, to = 0, stuck = 0}
  end
  return records[id]
end

-- recently returns how often a consumer asked within the memory.
local function recently(r)
  return r.asks * math.max(1 - (now - r.at) / memory, 0)
end

local function save(id)
  local r = records[id]
  redis.call('HSET', consumers_key, id,
    string.format('%d %.3f %.0f %d %.0f %.0f %.0f', r.used, r.asks, r.at, r.line, r.next, r.to, r.stuck))
end

local function load()
  local stored = redis.call('HGETALL', consumers_key)
  local empty = redis.call('EXISTS', log_key) == 0
  for i = 1, #stored, 2 do
    local used, asks, at, line, next_turn, to, stuck =
      string.match(stored[i + 1], '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)')
    local r = {used = tonumber(used), asks = tonumber(asks), at = tonumber(at), line = tonumber(line),
      next = tonumber(next_turn), to = tonumber(to), stuck = tonumber(stuck)}
    if empty then r.used = 0 end
    if r.to <= now then r.line = 0 end
    records[stored[i]] = r
    total = total + r.used
  end
end

-- evict drops from the log what has left the window, and then the consumers of
-- whom nothing is left.
local function evict()
  local gone, size = 0, 1
  while true do
    local entries = redis.call('LRANGE', log_key, gone, gone + size - 1)
    local before = gone
    for _, entry in ipairs(entries) do
      local time, calls, id = string.match(entry, '(%S+) (%S+) (.*)')
      if tonumber(time) + window >= now then break end
      local r = record(id)
      r.used, r.changed = math.max(r.used - tonumber(calls), 0), true
      total = math.max(total - tonumber(calls), 0)
      gone = gone + 1
    end
    if gone - before < size then break end
    size = 64
  end
  if gone > 0 then redis.call('LTRIM', log_key, gone, -1) end
  for id, r in pairs(records) do
    if r.used == 0 and r.line == 0 and r.at + memory < now and r.stuck < now then
      redis.call('HDEL', consumers_key, id)
      records[id] = nil
    elseif r.changed then
      save(id)
    end
  end
end

load()
evict()
