-- Brings finished jobs back to the line.  The parent of a child waits for it
-- again, if it is there at all.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "failed" or "completed": the set they are in
-- ARGV[3]  1 forgets the attempts made and started; 0 keeps them, so that a
--          job without attempts left fails for good at its next failure
-- then 1 to 1000 ids
--
-- Returns one code an id: 1 done, -1 the job is gone, -3 it is not in the set,
-- -12 it needs a step that is not built, or its parent's keys cannot be written
-- (finish.lua); nothing is written for it.

--@include queue
--@include waiting_list
--@include mark_waiting
--@include prioritized
--@include unbuilt
--@include flows
--@include lifo

local n = #ARGV - 3
local set = ARGV[2]
if n < 1 or n > 1000 then
    error('3 arguments and 1 to 1000 ids', 0)
end
if set ~= 'failed' and set ~= 'completed' then
    refuse(2, 'set', 'must be failed or completed')
end
local reset = whole(3, 'reset attempts', 1) == 1

local list, key_set = waiting_list(), base .. set
call('LLEN', list)
check_prioritized()

local codes, jobs, ids, seen = {}, {}, {}, {}
local parents = {}
for i = 1, n do
    local id = ARGV[i + 3]
    local key = base .. id
    local job = redis.pcall('HMGET', key, 'name', 'rjk', 'parentKey',
                            'opts', 'priority')
    local parent
    if not job.err and job[3] then
        parent = flows().parent(key)
    end
    if job.err or not (job[1] or call('EXISTS', key) == 1) then
        codes[i] = -1
    elseif seen[id] or not call('ZSCORE', key_set, id) then
        codes[i] = -3
    elseif parent == false or unbuilt(job[2]) then
        codes[i] = -12
    else
        codes[i] = 1
        jobs[i] = job
        parents[i] = parent
        seen[id] = true
        ids[#ids + 1] = id
    end
end
if not ids[1] then
    return codes
end

local gone = {'finishedOn', 'processedOn',
              set == 'failed' and 'failedReason' or 'returnvalue'}
if reset then
    gone[4], gone[5] = 'atm', 'ats'
end
local back, later, priorities = {}, {}, {}
--@include events_max
for i = 1, n do
    local job = jobs[i]
    if job then
        local id = ARGV[i + 3]
        local priority = tonumber(job[5]) or 0
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'waiting', 'jobId', id, 'prev', set)
        call('HDEL', base .. id, unpack(gone))
        if parents[i] then
            flow.back(parents[i], base .. id)
        end
        if priority > 0 then
            later[#later + 1] = id
            priorities[#later] = priority
        elseif is_lifo(job[4]) then
            call('RPUSH', list, id)
        else
            back[#back + 1] = id
        end
    end
end
call('ZREM', key_set, unpack(ids))
put_prioritized(later, priorities)
if back[1] then
    call('LPUSH', list, unpack(back))
end
mark_waiting()

return codes
