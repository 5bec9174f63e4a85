-- Changes the delay or the priority of jobs.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "delay" or "priority"
-- ARGV[3]  ms from now; or the priority, 0 none, 1 first .. 2097151 last
-- ARGV[4]  1 to the front of its line, or of those with this priority; else 0;
--          0 with "delay"
-- then 1 to 1000 ids
--
-- A priority is changed in whatever state the job is; one that waits goes to its
-- new place.  An id that waits is searched for in its list: a call ends when it
-- has looked through 100000 ids.
--
-- Returns one code an id, for as many ids as were looked at, one at least: the
-- caller repeats with the others.  1 done, -1 there is no such job, -3 it is not
-- delayed (its delay cannot be changed).

--@include queue
--@include is_job
--@include waiting_list
--@include mark_waiting
--@include delayed
--@include prioritized

local n, what = #ARGV - 4, ARGV[2]
if n < 1 or n > 1000 then
    error('4 arguments and 1 to 1000 ids', 0)
end
if what ~= 'delay' and what ~= 'priority' then
    refuse(2, 'what', 'must be delay or priority')
end
local value = whole(3, what, what == 'delay' and due_max or 2097151)
local front = whole(4, 'lifo', 1) == 1
if what == 'delay' and front then
    refuse(4, 'lifo', 'must be 0 with delay')
end
if what == 'delay' and now + value > due_max then
    refuse(3, 'delay', 'is too large')
end

local list = waiting_list()
call('LLEN', list)
call('XLEN', events)
call('ZCARD', base .. 'delayed')
call('ZCARD', base .. 'marker')
check_prioritized()
--@include events_max

local codes, work, woken = {}, 0, false
for i = 1, n do
    local id = ARGV[i + 4]
    codes[i] = 1
    if not is_job(id) then
        codes[i] = -1
    elseif what == 'delay' then
        if call('ZREM', base .. 'delayed', id) == 0 then
            codes[i] = -3
        else
            put_delayed(id, now + value)
            call('HSET', base .. id, 'delay', ARGV[3])
            call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                 'delayed', 'jobId', id, 'delay', ('%.0f'):format(now + value))
            woken = true
        end
    else
        local waits = call('ZREM', base .. 'prioritized', id) == 1
        if not waits then
            work = work + call('LLEN', list)
            waits = call('LREM', list, '-1', id) > 0
        end
        call('HSET', base .. id, 'priority', ARGV[3])
        if waits then
            woken = true
            if value == 0 then
                call(front and 'RPUSH' or 'LPUSH', list, id)
            elseif front then
                call('ZADD', base .. 'prioritized', value * 4294967296, id)
            else
                put_prioritized({id}, {value})
            end
        end
    end
    if work >= 100000 then
        break
    end
end
if woken then
    if what == 'delay' then
        mark_delayed()
    else
        mark_waiting()
    end
end

return codes
