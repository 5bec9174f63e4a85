-- A job scheduler's iteration: the job `repeat:<scheduler>:<ms>`.

--@include due
--@include waiting_list
--@include mark_waiting
--@include delayed
--@include prioritized

local schedulers = base .. 'repeat'

-- before the first write: what is written at the end, of a wrong type, fails
local function iteration_check(scheduler)
    call('HLEN', schedulers .. ':' .. scheduler)
    call('LLEN', waiting_list())
    call('ZCARD', base .. 'delayed')
    call('ZCARD', base .. 'marker')
    call('XLEN', events)
    check_prioritized()
    if not tonumber(call('GET', base .. 'id') or 0) then
        error(base .. 'id is not an integer', 0)
    end
end

local function iteration_id(scheduler, at)
    return 'repeat:' .. scheduler .. ':' .. at
end

-- ARGV[i], the text of a JSON object, as a table
local function json_object(i, name)
    local ok, object = pcall(cjson.decode, ARGV[i])
    if not ok or type(object) ~= 'table' or ARGV[i]:byte() ~= 123 then
        refuse(i, name, 'must be a JSON object')
    end
    return object
end

-- Adds it for the ms `at` (text): opts are those of its template and `repeat`,
-- the scheduler's, with the number of this iteration.
local function iteration_put(scheduler, at, name, data, opts)
    local id = iteration_id(scheduler, at)
    local delay = math.max(0, tonumber(at) - now)
    local priority = tonumber(opts.priority) or 0

    opts.jobId, opts.repeatJobKey = id, scheduler
    opts.timestamp, opts.delay = now, delay
    opts.prevMillis = opts['repeat'].pattern and tonumber(at) or nil

    call('INCR', base .. 'id')
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    call('HSET', base .. id, 'name', name, 'data', data, 'opts',
         cjson.encode(opts), 'timestamp', now_text, 'delay',
         ('%.0f'):format(delay), 'priority', ('%.0f'):format(priority), 'rjk',
         scheduler)
    --@include events_max
    if delay > 0 then
        put_delayed(id, now + delay)
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'delayed', 'jobId', id, 'delay', at)
        mark_delayed()
        return id
    end
    if priority > 0 then
        put_prioritized({id}, {priority})
    else
        call(opts.lifo == true and 'RPUSH' or 'LPUSH', waiting_list(), id)
    end
    mark_waiting()
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'waiting',
         'jobId', id)
    return id
end
