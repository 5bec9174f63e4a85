-- The queue of KEYS[1]: its clock and its meta.

--@include arguments

local call = redis.call
local base = KEYS[1]
if not base or base:byte(-1) ~= 58 then
    error('KEYS[1] must be "<prefix>:<queue>:"', 0)
end
if ARGV[1] ~= '6' and ARGV[1] ~= '5' then
    refuse(1, 'major', 'must be 5 or 6')
end

-- milliseconds, as text and as a number
local now_text = call('TIME')
now_text = now_text[1] .. ('00000' .. now_text[2]):sub(-6, -4)
local now = tonumber(now_text)

local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency',
                  'opts.maxLenEvents', 'max', 'duration')
local paused, concurrency = meta[1], tonumber(meta[2])
local events, events_max = base .. 'events', meta[3]
