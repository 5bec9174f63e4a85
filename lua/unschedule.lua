-- Removes job schedulers, each with its iteration that is delayed; one that
-- waits in its line, or is active, is run.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- then 1 to 1000 ids of schedulers
--
-- Returns a code an id: 1 removed, 0 there is no such scheduler.

--@include queue
--@include groups
--@include doomed

local n = #ARGV - 1
if n < 1 or n > 1000 then
    error('1 argument and 1 to 1000 ids', 0)
end

call('ZCARD', base .. 'repeat')
call('ZCARD', base .. 'delayed')
call('XLEN', events)

local codes = {}
for i = 1, n do
    local scheduler = ARGV[i + 1]
    local at = call('ZSCORE', base .. 'repeat', scheduler)
    if at then
        local id = 'repeat:' .. scheduler .. ':' .. at
        if call('ZREM', base .. 'delayed', id) == 1 then
            local gk = redis.pcall('HGET', base .. id, 'gk')
            if type(gk) == 'string' then
                groups().gone(base, id, gk)
            end
            remove_job(base .. id)
            call('XADD', events, '*', 'event', 'removed', 'jobId', id, 'prev',
                 'delayed')
        end
        call('ZREM', base .. 'repeat', scheduler)
        call('DEL', base .. 'repeat:' .. scheduler)
    end
    codes[i] = at and 1 or 0
end
if ndoomed > 0 then
    call('DEL', unpack(doomed, 1, ndoomed))
end
return codes
