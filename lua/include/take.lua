-- Moves the next jobs to `active`, at most `count`, each under the lock that
-- ARGV[3..5] describe.  Those of job schedulers only when their next iteration
-- will be added, and within the limits (limits.lua), nil none.  Returns the reply
-- described in take.lua.

--@include queue
--@include due
--@include promote
--@include groups

-- looking past jobs ends when so many are set aside
local aside_max = 64
-- score in `prioritized` of the first job of class low: medium is to priority 10
local low_min = 11 * 4294967296

-- Queue.add() of BullMQ 5 with `repeat`: its workers go on with it in another
-- way; those of BullMQ 6 do not.
local function is_legacy(scheduler)
    local key = base .. 'repeat:' .. scheduler
    return ARGV[1] == '5' and redis.pcall('HEXISTS', key, 'ic') == 0
           and call('EXISTS', key) == 1
end

-- nothing can be taken now
local function take_none(status, value)
    promote(0)
    return {status, value, {}}
end

local function take(count, own_max, own_duration, schedulers, limits)
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
            return take_none('limited', wait)
        end
        call('DEL', limiter)
        used = 0
    end
    if max and max - used < room then
        cut, room = 'limited', max - used
    end

    if paused then
        return take_none('paused', 0)
    end
    if concurrency then
        local free = concurrency - call('LLEN', base .. 'active')
        if free <= 0 then
            return take_none('full', 0)
        end
        if free < room then
            cut, room = 'full', free
        end
    end

    local buckets, bucket_cut = limits and limits.buckets, nil
    local charge, wait_for
    if buckets then
        --@include buckets
        room, bucket_cut = buckets_read(buckets, room)
        charge, wait_for = buckets_charge, bucket_wait
        if room == 0 then
            return take_none('limited', wait_for(bucket_cut))
        end
    end

    local more_due = promote(room)

    local jobs, taken, counted = {}, 0, 0
    -- taken may reach it in this look
    local most = room
    local token, lock, worker = ARGV[3], ARGV[4], ARGV[5]
    -- jobs that wait for another one of their group, or for their sender's turn,
    -- put into `delayed`
    local waiting = 0
    -- the first field is only a place for the id
    local fields = {'id', 'name', 'data', 'opts', 'timestamp', 'delay',
                    'priority', 'atm', 'ats', 'stc', 'defa', 'deid',
                    'parentKey', 'rjk'}
    local pacing
    if limits and limits.soon then
        --@include pacing
        pacing = pacing_filter
        fields[15], fields[16] = 'sndr', 'rcpt'
    end

    -- what must be left to others is set aside: it stays first in its line
    local aside, naside, why = {}, 0, nil
    local function leave(id, reason)
        if not aside[id] then
            aside[id] = true
            naside = naside + 1
            why = why or id:gsub('%z', '?') .. ' ' .. reason
        end
    end

    -- Starts the jobs ids[first..last] by step, reading before writing.
    -- Returns how many ids were looked at.
    local function start(ids, first, last, step)
        local from, gone, deps = taken + 1, 0, {}
        local n, grouped = taken, false
        for i = first, last, step do
            local id = ids[i]
            if naside >= aside_max or n >= most then
                break
            end
            if aside[id] then
                -- known from the look before
            -- our programs hold ids as C strings
            elseif id:find('%z') then
                leave(id, 'has a zero byte in its id')
            -- '0:...' are markers of BullMQ 4
            elseif id:byte() ~= 48 or id:sub(1, 2) ~= '0:' then
                local job = redis.pcall('HMGET', base .. id, unpack(fields))
                local reason
                if job.err then
                    reason = 'is not a hash'
                elseif job[13] or job[14] then
                    if job[14] and not schedulers then
                        reason = 'is an iteration of a job scheduler'
                    elseif job[14] and is_legacy(job[14]) then
                        reason = 'is a repeatable job of the old kind'
                    elseif job[13] and job[13] ~= '' then
                        local seen = redis.pcall('EXISTS', job[13])
                        reason = type(seen) == 'table'
                                 and 'has its parent on another node'
                    end
                end
                if reason then
                    leave(id, reason)
                -- an id without a hash is dropped: nothing is left to run
                elseif job[3] or job[2] or call('EXISTS', base .. id) == 1 then
                    n = n + 1
                    job[1] = id
                    jobs[n] = job
                    deps[n - taken] = base .. id .. ':dependencies'
                    grouped = grouped or job[4]
                              and job[4]:find('"groupKey"', 1, true)
                end
            end
            gone = gone + 1
        end

        -- a parent that waits for children can only fail
        if deps[1] and call('EXISTS', unpack(deps)) > 0 then
            local last_job = n
            n = taken
            for i = from, last_job do
                local job = jobs[i]
                jobs[i] = nil
                if job[11] or call('EXISTS', deps[i - taken]) == 0 then
                    n = n + 1
                    jobs[n] = job
                else
                    leave(job[1], 'has unfinished children')
                    local gk = grouped and groups().of(job[4])
                    if gk then
                        groups().gone(base, job[1], gk)
                    end
                end
            end
        end
        if grouped then
            local more
            n, more = groups().filter(jobs, from, n)
            waiting = waiting + more
        end
        if pacing and n >= from then
            local more
            n, more = pacing(jobs, from, n, limits.soon)
            waiting = waiting + more
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
            job[12], job[13] = job[12] or '', job[13] or ''
            job[14] = job[14] or ''
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

    local function take_wait()
        local more, line, left = true, base .. 'wait', 0
        while more and taken < most and naside < aside_max
              and waiting < aside_max
        do
            local asked = math.min(most - taken, aside_max - waiting)
                          + left
            local ids = call('LRANGE', line, -asked, '-1')
            local n = #ids
            if n > 0 then
                local gone = start(ids, n, 1, -1)
                call('LTRIM', line, '0', -gone - 1)
                if naside > 0 then
                    -- an id that is there twice is put back once: asked grows
                    -- by it, and the next look would see no other
                    local back, put = {}, {}
                    for i = n - gone + 1, n do
                        local id = ids[i]
                        if aside[id] and not put[id] then
                            put[id] = true
                            back[#back + 1] = id
                        end
                    end
                    left = #back
                    if left > 0 then
                        call('RPUSH', line, unpack(back))
                    end
                end
            end
            more = n == asked
        end
    end

    -- low and high: those with a score from low to below high; nil all of them
    local function take_sorted(low, high)
        local more, line, left = true, base .. 'prioritized', 0
        while more and taken < most and naside < aside_max
              and waiting < aside_max
        do
            -- those that were set aside stay first in their class
            local asked = math.min(most - taken, aside_max - waiting)
                          + left
            local ids = low and call('ZRANGEBYSCORE', line, low, high, 'LIMIT',
                                     '0', asked)
                        or call('ZRANGE', line, '0', asked - 1)
            local n = #ids
            if n > 0 then
                local gone = start(ids, 1, n, 1)
                if naside == 0 and gone > 0 and not low then
                    call('ZREMRANGEBYRANK', line, '0', gone - 1)
                else
                    local used = {}
                    for i = 1, gone do
                        if not aside[ids[i]] then
                            used[#used + 1] = ids[i]
                        end
                    end
                    left = gone - #used
                    if used[1] then
                        call('ZREM', line, unpack(used))
                    end
                end
            end
            more = n == asked
            if not (more or low) and left == 0 then
                call('DEL', base .. 'pc')
            end
        end
    end

    local class_wait
    if limits then
        --@include classes
        class_wait = take_classes()
    else
        take_wait()
        take_sorted()
    end

    if max and counted > 0
        and call('INCRBY', limiter, counted) == counted
    then
        call('PEXPIRE', limiter, duration)
    end

    if taken == room then
        -- a worker with room may sleep: it is told of the next to come
        if not more_due and call('LLEN', base .. 'wait') == 0
            and call('ZCARD', base .. 'prioritized') == 0
        then
            call('ZREM', base .. 'marker', '0')
        end
        if taken == count then
            return {'ok', 0, jobs}
        end
        if bucket_cut then
            return {'limited', wait_for(bucket_cut), jobs}
        end
        return {cut, cut == 'limited' and call('PTTL', limiter) or 0, jobs}
    end
    -- of what is due none is promoted while nothing moves
    if waiting >= aside_max or more_due and taken + waiting > 0 then
        return {'ok', 0, jobs}
    end
    if class_wait then
        -- the next to come may be of another class: it is told of
        call('ZREM', base .. 'marker', '0')
        return {'class', class_wait, jobs}
    end
    if why then
        -- whoever can do it may sleep on the marker that brought us here; the
        -- next to come is told of, for its score is another then
        call('ZADD', base .. 'marker', '0.5', '0')
        return {'refused', why, jobs}
    end
    -- the next to come is told of: see mark_waiting
    redis.pcall('ZREM', base .. 'marker', '0')
    --@include next_due
    local due = next_due()
    if due then
        return {'delayed', due, jobs}
    end
    return {'idle', 0, jobs}
end
