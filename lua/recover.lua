-- Moves jobs whose worker is gone back to the front of the line, once in an
-- interval for all clients of the queue.  An id is moved when it was in
-- `active` at the previous check, still is, and has no lock.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  interval, ms
-- ARGV[3]  how often a job may stall; beyond it gets `defa`, and whoever takes
--          it next must fail it
--
-- Returns the ids moved; none when this interval's check was already done.

--@include queue
--@include waiting_list
--@include mark_waiting

if #ARGV ~= 3 then
    error('3 arguments', 0)
end
if whole(2, 'interval') < 1 then
    refuse(2, 'interval', 'must be at least 1')
end
local most = whole(3, 'stalls allowed')

local check, stalled = base .. 'stalled-check', base .. 'stalled'
if call('EXISTS', check) == 1 then
    return {}
end

local suspects = call('SMEMBERS', stalled)
local list = waiting_list()
call('LLEN', list)
call('LLEN', base .. 'active')

call('SET', check, now_text, 'PX', ARGV[2])
--@include events_max
call('XTRIM', events, 'MAXLEN', '~', events_max)
call('DEL', stalled)

local moved = {}
for i = 1, #suspects do
    local id = suspects[i]
    local key = base .. id
    if call('EXISTS', key .. ':lock') == 0
        and call('LREM', base .. 'active', 1, id) > 0
    then
        local job = redis.pcall('HMGET', key, 'stc', 'rjk', 'name', 'data')
        -- an id without a hash has nothing left to run
        if not job.err and (job[3] or job[4] or call('EXISTS', key) == 1) then
            local count = (tonumber(job[1]) or 0) + 1
            if count > most
                and not (job[2] and call('ZSCORE', base .. 'repeat', job[2]))
            then
                call('HSET', key, 'stc', tostring(count), 'defa',
                     'job stalled more than allowable limit')
            else
                call('HSET', key, 'stc', tostring(count))
            end
            call('RPUSH', list, id)
            call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev',
                 'active')
            call('XADD', events, '*', 'event', 'stalled', 'jobId', id)
            moved[#moved + 1] = id
        end
    end
end
if moved[1] then
    mark_waiting()
end

-- the suspects of the next check
local active = call('LRANGE', base .. 'active', 0, -1)
for i = 1, #active, 1000 do
    call('SADD', stalled, unpack(active, i, math.min(i + 999, #active)))
end

return moved
