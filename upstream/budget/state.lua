-- Returns the requests used, the calls under way, when the hospital opens again
-- (us, 0 = open), the calls in the line.
local line = 0
for _, r in pairs(records) do line = line + r.line end
local opens = tonumber(redis.call('GET', closed_key) or '0')
if opens <= now then opens = 0 end
local under_way = redis.call('ZCOUNT', leases_key, string.format('(%.0f', now), '+inf')
return {total, under_way, opens, line}
