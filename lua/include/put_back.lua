-- Puts jobs of a set back to the line: finished ones, whose parent waits for
-- them again, or delayed ones before their time.

--@include waiting_list
--@include mark_waiting
--@include prioritized
--@include flows
--@include lifo

-- ARGV[i] is the set, ARGV[i + 1] whether attempts are forgotten
local function put_back_arguments(i)
    local set = ARGV[i]
    if set ~= 'failed' and set ~= 'completed' and set ~= 'delayed' then
        refuse(i, 'set', 'must be failed, completed or delayed')
    end
    local reset = whole(i + 1, 'reset attempts', 1) == 1
    if reset and set == 'delayed' then
        refuse(i + 1, 'reset attempts', 'must be 0 with delayed')
    end
    return set, reset
end

-- Returns one code an id.  An id without a hash leaves the set.
local function put_back(set, given, reset)
    local list, key_set = waiting_list(), base .. set
    local finished = set ~= 'delayed'
    call('LLEN', list)
    call('ZCARD', key_set)
    check_prioritized()

    local codes, jobs, ids, seen = {}, {}, {}, {}
    local parents, any = {}, false
    for i = 1, #given do
        local id = given[i]
        local key = base .. id
        local job = redis.pcall('HMGET', key, 'name', 'rjk', 'parentKey',
                                'opts', 'priority')
        local parent
        if finished and not job.err and job[3] then
            parent = flows().parent(key)
        end
        if job.err then
            codes[i] = -1
        elseif not (job[1] or call('EXISTS', key) == 1) then
            codes[i] = -1
            ids[#ids + 1] = id
        elseif seen[id] or not call('ZSCORE', key_set, id) then
            codes[i] = -3
        elseif parent == false then
            codes[i] = -12
        else
            codes[i], any = 1, true
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
    for i = 1, #given do
        local job = jobs[i]
        if job then
            local id = given[i]
            local priority = tonumber(job[5]) or 0
            call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                 'waiting', 'jobId', id, 'prev', set)
            if finished then
                call('HDEL', base .. id, unpack(gone))
            else
                call('HSET', base .. id, 'delay', '0')
            end
            if parents[i] then
                flow.back(parents[i], base .. id)
            end
            if priority > 0 then
                later[#later + 1] = id
                priorities[#later] = priority
            elseif finished and is_lifo(job[4]) then
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
    if any then
        mark_waiting()
    end
    return codes
end
