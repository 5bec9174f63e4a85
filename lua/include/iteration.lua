-- A job scheduler's iteration: the job `repeat:<scheduler>:<ms>`.

--@include place

local schedulers = base .. 'repeat'

local function iteration_check(scheduler)
    call('HLEN', schedulers .. ':' .. scheduler)
    place_check()
end

local function iteration_id(scheduler, at)
    return 'repeat:' .. scheduler .. ':' .. at
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
    place(id, {'name', name, 'data', data, 'opts', cjson.encode(opts),
               'timestamp', now_text, 'delay', ('%.0f'):format(delay),
               'priority', ('%.0f'):format(priority), 'rjk', scheduler},
          delay > 0 and now + delay or nil, priority, opts.lifo == true)
    return id
end
