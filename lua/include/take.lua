-- Moves the next jobs to `active`, at most `count`, each under the lock that
-- ARGV[3..5] describe.  Returns the reply described in take.lua.

--@include queue
--@include due
--@include promote
--@include unbuilt

local function take(count, own_max, own_duration)
    promote()

    -- 2^53 - 1 is what rateLimit() of BullMQ sets to stop everybody
    local limiter, cut, room = base .. 'limiter', nil, count
    local max, duration = tonumber(meta[4]) or own_max,
                          own_duration or tonumber(meta[5])
    if not max or max <= 0 or not duration or duration <= 0 then
        max = nil
    else
        -- a stock client sets what it is given, a fraction too
        max = math.ceil(max)
        duration = math.min(math.ceil(duration), due_max)
    end
    local used = tonumber(call('GET', limiter) or 0) or 0
    if used >= (max or 9007199254740991) then
        local wait = call('PTTL', limiter)
        if wait > 0 then
            return {'limited', wait, {}}
        end
        call('DEL', limiter)
        used = 0
    end
    if max and max - used < room then
        cut, room = 'limited', max - used
    end

    if paused then
        return {'paused', 0, {}}
    end
    if concurrency then
        local free = concurrency - call('LLEN', base .. 'active')
        if free <= 0 then
            return {'full', 0, {}}
        end
        if free < room then
            cut, room = 'full', free
        end
    end

    local jobs, taken, counted, why = {}, 0, 0, nil
    local token, lock, worker = ARGV[3], ARGV[4], ARGV[5]

    -- Starts the jobs ids[first..last] by step, reading before writing.
    -- Returns how many ids are used up; why says why the next one is not.
    local function start(ids, first, last, step)
        local from, gone, deps = taken + 1, 0, {}
        local n = taken
        for i = first, last, step do
            local id = ids[i]
            -- our programs hold ids as C strings
            if id:find('%z') then
                why = id:gsub('%z', '?') .. ' has a zero byte in its id'
                break
            end
            -- '0:...' are markers of BullMQ 4
            if id:byte() ~= 48 or id:sub(1, 2) ~= '0:' then
                -- the first field is only a place for the id
                local job = redis.pcall('HMGET', base .. id, 'id', 'name',
                                        'data', 'opts', 'timestamp', 'delay',
                                        'priority', 'atm', 'ats', 'stc',
                                        'defa', 'deid', 'parentKey', 'rjk')
                if job.err then
                    why = id .. ' is not a hash'
                    break
                end
                if job[12] or job[13] or job[14] then
                    why = unbuilt(job[14], job[13], job[12], job[4])
                    if why then
                        why = id .. ' ' .. why
                        break
                    end
                end
                -- an id without a hash is dropped: nothing is left to run
                if job[3] or job[2] or call('EXISTS', base .. id) == 1 then
                    n = n + 1
                    job[1] = id
                    jobs[n] = job
                    deps[n - taken] = base .. id .. ':dependencies'
                end
            end
            gone = gone + 1
        end

        if deps[1] and call('EXISTS', unpack(deps)) > 0 then
            local at = from
            while call('EXISTS', deps[at - taken]) == 0 do
                at = at + 1
            end
            local id = jobs[at][1]
            why, gone = id .. ' has unfinished children', 0
            while ids[first + gone * step] ~= id do
                gone = gone + 1
            end
            while n >= at do
                jobs[n] = nil
                n = n - 1
            end
        end
        if n < from then
            return gone
        end

        local started = {}
        for i = from, n do
            started[i - taken] = jobs[i][1]
        end
        call('ZADD', base .. 'marker', '0', '0')
        call('LPUSH', base .. 'active', unpack(started))
        for i = from, n do
            local job = jobs[i]
            local id = job[1]
            local key = base .. id
            local ats = job[9]
            ats = ats and tostring((tonumber(ats) or 0) + 1) or '1'
            call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev',
                 'waiting')
            call('SET', key .. ':lock', token, 'PX', lock)
            if worker == '' then
                call('HSET', key, 'processedOn', now_text, 'ats', ats)
            else
                call('HSET', key, 'processedOn', now_text, 'ats', ats, 'pb',
                     worker)
            end
            if not job[11] then
                counted = counted + 1
                job[11] = ''
            end
            job[8], job[9], job[10] = job[8] or '', ats, job[10] or ''
            job[12], job[13], job[14] = job[12] or '', '', ''
            if not (job[2] and job[3] and job[4] and job[5] and job[6]
                    and job[7])
            then
                for j = 2, 7 do
                    job[j] = job[j] or ''
                end
            end
        end
        taken = n
        return gone
    end

    local more, line = true, base .. 'wait'
    while more and taken < room and not why do
        local asked = room - taken
        local ids = call('LRANGE', line, -asked, '-1')
        local n = #ids
        if n > 0 then
            local gone = start(ids, n, 1, -1)
            call('LTRIM', line, '0', -gone - 1)
        end
        more = n == asked
    end

    more, line = true, base .. 'prioritized'
    while more and taken < room and not why do
        local asked = room - taken
        local ids = call('ZRANGE', line, '0', asked - 1)
        local n = #ids
        if n > 0 then
            local gone = start(ids, 1, n, 1)
            if gone > 0 then
                call('ZREMRANGEBYRANK', line, '0', gone - 1)
            end
        end
        more = n == asked
        if not more and not why then
            call('DEL', base .. 'pc')
        end
    end

    if max and counted > 0
        and call('INCRBY', limiter, counted) == counted
    then
        call('PEXPIRE', limiter, duration)
    end

    if why then
        -- whoever can do it may sleep on the marker that brought us here
        call('ZADD', base .. 'marker', '0', '0')
        return {'refused', why, jobs}
    end
    if taken == count then
        return {'ok', 0, jobs}
    end
    if cut and taken == room then
        return {cut, cut == 'limited' and call('PTTL', limiter) or 0, jobs}
    end
    --@include next_due
    local due = next_due()
    if due then
        return {'delayed', due, jobs}
    end
    return {'idle', 0, jobs}
end
