-- keepLastIfActive: the job of a deduplication id that came last while its owner
-- was active is kept in the hash `dn:<id>`, and added when the owner is over.

--@include due
--@include waiting_list
--@include mark_waiting
--@include delayed
--@include prioritized

-- before the first write: true when there is one
local function next_job_check(dedup)
    if call('HLEN', base .. 'dn:' .. dedup) == 0 then
        return false
    end
    call('LLEN', base .. 'wait')
    call('LLEN', base .. 'paused')
    call('ZCARD', base .. 'delayed')
    call('XLEN', events)
    check_prioritized()
    return true
end

local function next_job_put(dedup)
    local kept = base .. 'dn:' .. dedup
    local job = call('HMGET', kept, 'jid', 'name', 'data', 'opts', 'pk', 'pd',
                     'pdk', 'rjk')
    local ok, opts = pcall(cjson.decode, job[4] or '')
    local id = job[1]
    if not id or not ok or type(opts) ~= 'table' then
        return
    end
    call('DEL', kept)
    call('INCR', base .. 'id')
    local key = base .. id
    if call('EXISTS', key) == 1 then
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'duplicated', 'jobId', id)
        return
    end
    call('SET', base .. 'de:' .. dedup, id)

    local delay = math.floor(tonumber(opts.delay) or 0)
    local priority = math.floor(tonumber(opts.priority) or 0)
    local fields = {'name', job[2] or '', 'data', job[3] or '{}', 'opts',
                    job[4], 'timestamp', now_text, 'delay',
                    ('%.0f'):format(delay), 'priority',
                    ('%.0f'):format(priority), 'deid', dedup}
    for name, value in pairs({parentKey = job[5], parent = job[6],
                              rjk = job[8]})
    do
        if value then
            fields[#fields + 1] = name
            fields[#fields + 1] = value
        end
    end
    call('HSET', key, unpack(fields))
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name',
         job[2] or '')
    if delay > 0 then
        local due = math.min(now + delay, due_max)
        put_delayed(id, due)
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'delayed', 'jobId', id, 'delay', ('%.0f'):format(due))
        mark_delayed()
    else
        if priority > 0 then
            put_prioritized({id}, {priority})
        else
            call(opts.lifo == true and 'RPUSH' or 'LPUSH', waiting_list(), id)
        end
        mark_waiting()
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'waiting', 'jobId', id)
    end
    if job[5] and job[7] then
        -- in the slot of another node it fails, and the job has no parent
        redis.pcall('SADD', job[7], key)
    end
end
