-- Moves jobs whose time has come, at most 1000, from `delayed` to the line.
-- An id without a hash is dropped: there is nothing left to run.
--
-- Those that were put off (delayed.lua, admit.lua) had been first in their line:
-- they go there again, or a long line would keep them from their turn for ever.  No
-- more than `room` of them, for who calls takes them now, and those that come later
-- must not go before them; the others stay, and it returns true.
local function promote(room)
    local due = call('ZRANGEBYSCORE', base .. 'delayed', '0',
                     (now + 1) * 4096 - 1, 'LIMIT', '0', '1000')
    if not due[1] then
        return
    end

    --@include waiting_list
    --@include mark_waiting
    --@include prioritized

    local moved, plain, later, priorities, hashes = {}, {}, {}, {}, {}
    local ended, front, first, nfront, left = {}, {}, {}, 0, false
    for i = 1, #due do
        local id = due[i]
        local job = redis.pcall('HMGET', base .. id, 'priority', 'name',
                                'timestamp', 'delay', 'off')
        local there = job.err or job[1] or job[2] or job[3]
        local off = there and not job.err and job[5] and job[5] == job[4]
        local priority = not job.err and tonumber(job[1]) or 0
        if off and nfront == room then
            left = true
        else
            ended[#ended + 1] = id
            if there then
                moved[#moved + 1] = id
                hashes[#moved] = not job.err
            end
            if off then
                nfront = nfront + 1
            end
            if off and priority > 0 then
                first[#first + 1] = priority * 4294967296
                first[#first + 1] = id
            elseif off then
                table.insert(front, 1, id)
            elseif priority > 0 then
                later[#later + 1] = id
                priorities[#later] = priority
            elseif there then
                plain[#plain + 1] = id
            end
        end
    end
    if not ended[1] then
        return left
    end

    local list = waiting_list()
    call('LLEN', list)
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
    if front[1] then
        call('RPUSH', list, unpack(front))
    end
    call('ZREM', base .. 'delayed', unpack(ended))
    for i = 1, #moved do
        if hashes[i] then
            call('HSET', base .. moved[i], 'delay', '0')
        end
    end
    if moved[1] then
        mark_waiting()
    end
    return left
end
