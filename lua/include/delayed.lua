-- The zset `delayed`: score = due ms * 4096 + place among those of one ms.

--@include due
--@include next_due
--@include wake

local function put_delayed(id, due)
    local key = base .. 'delayed'
    local low = due * 4096
    local last = call('ZREVRANGEBYSCORE', key, low + 4095, low, 'WITHSCORES',
                      'LIMIT', '0', '1')[2]
    call('ZADD', key, last and math.min(last + 1, low + 4095) or low, id)
end

local function mark_delayed()
    local due = next_due()
    if due and call('ZADD', base .. 'marker', 'CH', due, '1') == 1 then
        wake(base)
    end
end

-- A job that was looked at, and is not to be started before `wait` ms are over.  Its
-- field `off` is as its delay: see promote.lua.
local function put_off(id, wait)
    local due, text = now + wait, ('%.0f'):format(wait)
    call('XADD', events, '*', 'event', 'delayed', 'jobId', id, 'delay',
         ('%.0f'):format(due))
    call('HSET', base .. id, 'delay', text, 'off', text)
    put_delayed(id, due)
end

-- after put_off(); nobody is woken: whoever looks now knows
local function mark_seen()
    call('ZADD', base .. 'marker', next_due(), '1')
    -- they look again though none is added or finished for days
    --@include events_max
    call('XTRIM', events, 'MAXLEN', '~', events_max)
end
