-- Moves jobs whose time has come, at most 1000, from `delayed` to the line.
-- An id without a hash is dropped: there is nothing left to run.
local function promote()
    local due = call('ZRANGEBYSCORE', base .. 'delayed', '0',
                     (now + 1) * 4096 - 1, 'LIMIT', '0', '1000')
    if not due[1] then
        return
    end

    --@include waiting_list
    --@include mark_waiting
    --@include prioritized

    local moved, plain, later, priorities, hashes = {}, {}, {}, {}, {}
    for i = 1, #due do
        local id = due[i]
        local job = redis.pcall('HMGET', base .. id, 'priority', 'name',
                                'timestamp')
        if job.err or job[1] or job[2] or job[3] then
            local priority = tonumber(job[1]) or 0
            if priority > 0 then
                later[#later + 1] = id
                priorities[#later] = priority
            else
                plain[#plain + 1] = id
            end
            moved[#moved + 1] = id
            hashes[#moved] = not job.err
        end
    end

    local list = waiting_list()
    call('LLEN', list)
    for i = 1, #moved do
        call('XADD', events, '*', 'event', 'waiting', 'jobId', moved[i],
             'prev', 'delayed')
    end
    put_prioritized(later, priorities)
    if plain[1] then
        call('LPUSH', list, unpack(plain))
    end
    call('ZREM', base .. 'delayed', unpack(due))
    for i = 1, #moved do
        if hashes[i] then
            call('HSET', base .. moved[i], 'delay', '0')
        end
    end
    if moved[1] then
        mark_waiting()
    end
end
