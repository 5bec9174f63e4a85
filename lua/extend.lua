-- Renews leases.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  lock, ms until they expire
-- then id, token of each job, 1 to 1000 of them
--
-- Returns the ids whose lease is lost: no lock, or another owner's.

--@include arguments

local call = redis.call
local base = KEYS[1]
local n = (#ARGV - 1) / 2
if n < 1 or n > 1000 or n % 1 ~= 0 then
    error('2 arguments a job, 1 to 1000 jobs', 0)
end
if whole(1, 'lock') < 1 then
    refuse(1, 'lock', 'must be at least 1')
end

local locks = {}
for i = 1, n do
    locks[i] = base .. ARGV[2 * i] .. ':lock'
end
local owners = call('MGET', unpack(locks))
call('SCARD', base .. 'stalled')

local lost, kept = {}, {}
for i = 1, n do
    if owners[i] and owners[i] == ARGV[2 * i + 1] then
        kept[#kept + 1] = ARGV[2 * i]
        call('SET', locks[i], owners[i], 'PX', ARGV[1])
    else
        lost[#lost + 1] = ARGV[2 * i]
    end
end
if kept[1] then
    call('SREM', base .. 'stalled', unpack(kept))
end

return lost
