-- Gives active jobs back: to be tried again, later, by somebody else, or when
-- their children are done.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- KEYS[2]  stream of records
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  number of jobs, then for each:
--   id, token
--   mode        "retry"    an attempt ends; again at once (to the end of its
--                          line), or after delay
--               "delay"    not now: after delay, no attempt is used
--               "release"  back to the front of its line, no attempt is used;
--                          of several the first given is next
--               "children" to `waiting-children`, until the children that were
--                          added to it while it ran are done
--   delay       ms, 0 with "release" and "children"
--   reason      plain text, '' leaves the job's failedReason
--   stacktrace  of this attempt, JSON array of strings, '' none
--   records     their number, then each one's text
--
-- With all but "children" it stays the job's turn in its group (include/group.lua).
--
-- Records (XADD KEYS[2] * r <text>) are facts: they are written first, whatever
-- becomes of the lease.
--
-- Returns one code a job: 0 done, -1, -2, -3, -6 as finish.lua's; with
-- "children" also 1, no child is unfinished: it stays active under its lock, and
-- -9, it has failed children.

--@include queue
--@include waiting_list
--@include mark_waiting
--@include delayed
--@include prioritized
--@include promote
--@include lease
--@include groups
--@include lifo
--@include stack

local n = whole(2, 'number of jobs', 1000)
local at, p = {}, 3
local at_once, any_delayed = false, false
for i = 1, n do
    if #ARGV < p + 6 then
        error('7 arguments a job', 0)
    end
    local mode = ARGV[p + 2]
    local delay = whole(p + 3, 'delay', due_max)
    if mode ~= 'retry' and mode ~= 'delay' and mode ~= 'release'
        and mode ~= 'children'
    then
        refuse(p + 2, 'mode', 'must be retry, delay, release or children')
    end
    if (mode == 'release' or mode == 'children') and delay > 0 then
        refuse(p + 3, 'delay', 'must be 0 with ' .. mode)
    end
    if now + delay > due_max then
        refuse(p + 3, 'delay', 'is too large')
    end
    if ARGV[p] == '' or ARGV[p + 1] == '' then
        refuse(p, 'id', 'and token must not be empty')
    end
    if mode == 'delay' or delay > 0 then
        any_delayed = true
    elseif mode == 'retry' then
        at_once = true
    end
    at[i] = p
    p = p + 7 + whole(p + 6, 'number of records', 100000)
end
if p ~= #ARGV + 1 then
    error('too many or too few arguments', 0)
end

-- reads
local codes, jobs, locks = owned(at)
for i = 1, n do
    local key = base .. ARGV[at[i]]
    if codes[i] == 0 and ARGV[at[i] + 2] == 'children' then
        call('ZCARD', base .. 'waiting-children')
        if jobs[i][6] then
            groups().check()
        end
        if call('ZCARD', key .. ':unsuccessful') > 0 then
            codes[i] = -9
        elseif call('SCARD', key .. ':dependencies') == 0 then
            codes[i] = 1
        end
    end
end
local list = waiting_list()
call('LLEN', list)
call('XLEN', events)
call('ZCARD', base .. 'delayed')
check_prioritized()

-- facts
for i = 1, n do
    local q = at[i]
    for r = q + 7, q + 6 + ARGV[q + 6] do
        call('XADD', KEYS[2], '*', 'r', ARGV[r])
    end
end

if at_once then
    promote(0)
end
end_leases(at, codes, locks)

local back, later, priorities = {}, {}, {}
local first, woken = {}, false
--@include events_max
for i = 1, n do
    if codes[i] == 0 then
        local q, job = at[i], jobs[i]
        local id, mode, delay = ARGV[q], ARGV[q + 2], tonumber(ARGV[q + 3])
        local key = base .. id
        local more = call('HMGET', key, 'priority', 'opts', 'stacktrace')
        local priority = tonumber(more[1]) or 0
        local fields = {}

        if ARGV[q + 4] ~= '' then
            fields[1], fields[2] = 'failedReason', ARGV[q + 4]
        end
        if ARGV[q + 5] ~= '' then
            fields[#fields + 1] = 'stacktrace'
            fields[#fields + 1] = stack_of(more[3], ARGV[q + 5], more[2])
        end
        if mode == 'retry' then
            fields[#fields + 1] = 'atm'
            fields[#fields + 1] = tostring((tonumber(job[5]) or 0) + 1)
        end

        if mode == 'delay' or delay > 0 then
            fields[#fields + 1] = 'delay'
            fields[#fields + 1] = ARGV[q + 3]
            put_delayed(id, now + delay)
            call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                 'delayed', 'jobId', id, 'delay',
                 ('%.0f'):format(now + delay))
        elseif mode == 'children' then
            call('ZADD', base .. 'waiting-children', now_text, id)
            call('XADD', events, '*', 'event', 'waiting-children', 'jobId', id,
                 'prev', 'active')
            if job[6] then
                groups().gone(base, id, job[6])
            end
        else
            woken = true
            if mode == 'release' then
                if priority > 0 then
                    call('ZADD', base .. 'prioritized',
                         priority * 4294967296, id)
                else
                    table.insert(first, 1, id)
                end
                call('XADD', events, '*', 'event', 'waiting', 'jobId', id,
                     'prev', 'active')
            else
                if priority > 0 then
                    later[#later + 1] = id
                    priorities[#later] = priority
                elseif is_lifo(more[2]) then
                    call('RPUSH', list, id)
                else
                    back[#back + 1] = id
                end
                call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                     'waiting', 'jobId', id, 'prev', 'active')
            end
        end
        if fields[1] then
            call('HSET', key, unpack(fields))
        end
    end
end

put_prioritized(later, priorities)
if back[1] then
    call('LPUSH', list, unpack(back))
end
if first[1] then
    call('RPUSH', list, unpack(first))
end
if woken then
    mark_waiting()
end
if any_delayed then
    mark_delayed()
end

return codes
