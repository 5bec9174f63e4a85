-- Changes entries of the tenant table (core/tenant.h) together with its
-- version, so that no reader takes the new version for the old table.
--
-- KEYS[1]  sluice:tenants
-- KEYS[2]  {sluice:tenants}:version, in the same slot
-- ARGV[1]  the version that the table must have, '' for any
-- then of each entry: id, JSON, or '' to remove it; 1 to 100000 of them
--
-- Returns the new version, or -1 when the table has another one.  It is the
-- time in microseconds, or the next number where that is higher: a table that
-- was lost and is written anew has none that it had before.

--@include arguments

local call = redis.call
local n = (#ARGV - 1) / 2
if n < 1 or n > 100000 or n % 1 ~= 0 then
    error('2 arguments an entry, 1 to 100000 entries', 0)
end
for i = 2, #ARGV, 2 do
    if not ARGV[i]:find('^[%w_.-]+$') or #ARGV[i] > 64 then
        refuse(i, 'id', 'must be 1 to 64 of A-Z a-z 0-9 _ . -')
    end
    if #ARGV[i + 1] > 16384 then
        refuse(i + 1, 'entry', 'is too long')
    end
end

local version = call('GET', KEYS[2]) or '0'
if ARGV[1] ~= '' and ARGV[1] ~= version then
    return -1
end
if not version:find('^%d+$') then
    error('the version is not a number', 0)
end
call('HLEN', KEYS[1])

for i = 2, #ARGV, 2 do
    if ARGV[i + 1] == '' then
        call('HDEL', KEYS[1], ARGV[i])
    else
        call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    end
end

local new = call('INCR', KEYS[2])
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
if new < now then
    new = now
    call('SET', KEYS[2], ('%.0f'):format(now))
end

return new
