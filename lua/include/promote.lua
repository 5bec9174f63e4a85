-- Moves jobs whose time has come, at most 1000, from `delayed` to the line.
-- An id without a hash is dropped: there is nothing left to run.
--
-- Those that were put off (delayed.lua, admit.lua) had been first in their line:
-- they go there again, or a long line would keep them from their turn for ever.  In
-- a list those that come later would go before them: no more than `room` are put
-- there, which who calls takes now, and none while one from before is first in it.
-- The others stay, and it returns true; it looks no further then, or each call
-- would read a long line of them.  In `prioritized` they have a fraction of a
-- score, the second in which they were due: the order of those that are left there.
-- `off` is 0 when they are in their line.
local function promote(room)
    local key, last = base .. 'delayed', (now + 1) * 4096 - 1
    local due = call('ZRANGEBYSCORE', key, '0', last, 'WITHSCORES', 'LIMIT',
                     '0', '20')
    if not due[1] then
        return
    end

    --@include waiting_list
    --@include mark_waiting
    --@include prioritized

    local list = waiting_list()
    call('LLEN', list)
    local moved, plain, later, priorities, hashes = {}, {}, {}, {}, {}
    local ended, front, first, looked, left = {}, {}, {}, 0, false
    while due[1] do
        for i = 1, #due, 2 do
            local id = due[i]
            local job = redis.pcall('HMGET', base .. id, 'priority', 'name',
                                    'timestamp', 'delay', 'off')
            local there = job.err or job[1] or job[2] or job[3]
            local off = there and not job.err and job[5] and job[5] == job[4]
            local priority = not job.err and tonumber(job[1]) or 0
            local ahead = off and priority <= 0
            if ahead and room > 0 and not front[1] then
                local head = call('LINDEX', list, '-1')
                head = head and redis.pcall('HMGET', base .. head, 'delay',
                                            'off')
                if head and not head.err and head[1] == '0' and head[2] == '0'
                then
                    room = 0
                end
            end
            if ahead and #front == room then
                left = true
            else
                ended[#ended + 1] = id
                if there then
                    moved[#moved + 1] = id
                    hashes[#moved] = not job.err and (off and 'off' or 'delay')
                end
                if ahead then
                    front[#front + 1] = id
                elseif off then
                    first[#first + 1] = priority * 4294967296
                        + math.floor(due[i + 1] / 4096000) % 16384 / 16384
                    first[#first + 1] = id
                elseif priority > 0 then
                    later[#later + 1] = id
                    priorities[#later] = priority
                elseif there then
                    plain[#plain + 1] = id
                end
            end
        end
        looked = looked + #due / 2
        if left or looked == 1000 then
            break
        end
        due = call('ZRANGEBYSCORE', key, '0', last, 'WITHSCORES', 'LIMIT',
                   looked, '20')
    end
    if not ended[1] then
        return left
    end

    for i = 1, #moved do
        call('XADD', events, '*', 'event', 'waiting', 'jobId', moved[i],
             'prev', 'delayed')
    end
    put_prioritized(later, priorities)
    if first[1] then
        call('ZADD', base .. 'prioritized', unpack(first))
    end
    if plain[1] then
        call('LPUSH', list, unpack(plain))
    end
    for i = #front, 1, -1 do
        call('RPUSH', list, front[i])
    end
    call('ZREM', key, unpack(ended))
    for i = 1, #moved do
        if hashes[i] then
            call('HSET', base .. moved[i], 'delay', '0', hashes[i], '0')
        end
    end
    if moved[1] then
        mark_waiting()
    end
    return left
end
