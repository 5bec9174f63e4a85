-- Pauses a queue, or resumes it.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "pause" or "resume"
-- ARGV[3]  how many ids one call may move, 1 to 7000
--
-- BullMQ 5 moves `wait` to `paused`; BullMQ 6 leaves ids where they are.  On
-- resuming what is in `paused` is moved to the front of `wait`, in both: stock
-- BullMQ 5 overwrites the one by the other.  Where a list can take the place of
-- one that is not there, all ids are moved at once.
--
-- Returns how many ids are still to be moved: the caller repeats until it is 0.
-- The flag is changed, and the event written, by the first call; one that
-- changes nothing writes no event.

--@include queue
--@include mark_waiting

if #ARGV ~= 3 then
    error('3 arguments', 0)
end
local pausing = ARGV[2] == 'pause'
if not pausing and ARGV[2] ~= 'resume' then
    refuse(2, 'action', 'must be pause or resume')
end
local most = whole(3, 'count', 7000)
if most < 1 then
    refuse(3, 'count', 'must be at least 1')
end

local wait, held, marker = base .. 'wait', base .. 'paused', base .. 'marker'
local waiting, holding = call('LLEN', wait), call('LLEN', held)
call('XLEN', events)
call('ZCARD', marker)
call('ZCARD', base .. 'prioritized')
call('ZCARD', base .. 'delayed')

-- of the list `from`, which holds n, to the end of `to`, which holds m
local function shift(from, n, to, m, side)
    if n == 0 then
        return 0
    end
    if m == 0 then
        call('RENAME', from, to)
        return 0
    end
    local last = math.min(n, most)
    for i = 1, last, 1000 do
        local size = math.min(1000, last - i + 1)
        if side == 'LPUSH' then
            -- its next job first, to come behind those that are there
            local ids, turned = call('LRANGE', from, -size, '-1'), {}
            for j = 1, size do
                turned[j] = ids[size - j + 1]
            end
            call('LPUSH', to, unpack(turned))
            call('LTRIM', from, '0', -size - 1)
        else
            call('RPUSH', to, unpack(call('LRANGE', from, '0', size - 1)))
            call('LTRIM', from, size, '-1')
        end
    end
    return n - last
end

if pausing then
    local left = 0
    if ARGV[1] == '5' then
        left = shift(wait, waiting, held, holding, 'LPUSH')
    end
    call('DEL', marker)
    if not paused then
        call('HSET', base .. 'meta', 'paused', '1')
        call('XADD', events, '*', 'event', 'paused')
    end
    return left
end

local left = shift(held, holding, wait, waiting, 'RPUSH')
if waiting + holding > 0 or call('ZCARD', base .. 'prioritized') > 0 then
    paused = false
    mark_waiting()
else
    --@include next_due
    local due = next_due()
    if due then
        call('ZADD', marker, due, '1')
        wake(base)
    end
end
if call('HDEL', base .. 'meta', 'paused') == 1 then
    call('XADD', events, '*', 'event', 'resumed')
end
return left
