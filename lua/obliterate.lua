-- Removes a paused queue with all that is in it, some in each call.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  1 also with active jobs, whose workers will find them gone; else 0
-- ARGV[3]  count, 1 to 1000: so many jobs are removed in a call
-- ARGV[4]  '' at first, then what the call before returned
--
-- Returns '' when nothing is left, else text for the next call's ARGV[4]; or -1
-- the queue is not paused, -2 it has active jobs.
--
-- Parents in other queues wait for the jobs no longer.  What stock BullMQ leaves
-- is removed too: flow parents that wait, the rate limit, and the keys of
-- deduplication whose job is gone, which a SCAN looks for.

--@include queue
--@include removal

if #ARGV ~= 4 then
    error('4 arguments', 0)
end
local force, count = whole(2, 'force', 1) == 1, whole(3, 'count', 1000)
if count < 1 then
    refuse(3, 'count', 'must be at least 1')
end
local cursor = ARGV[4]:match('^scan (%d+)$')
if ARGV[4] ~= '' and ARGV[4] ~= 'jobs' and not cursor then
    refuse(4, 'state', 'must be what the call before returned')
end

if not paused then
    return -1
end
if not force and call('LLEN', base .. 'active') > 0 then
    return -2
end

-- The parents first: a child that is removed would put its parent into the line.
local order = {'waiting-children', 'active', 'wait', 'paused', 'prioritized',
               'delayed', 'completed', 'failed'}
local left = count
for i = 1, #order do
    local key, ids = base .. order[i], nil
    local list = order[i] == 'active' or order[i] == 'wait'
                 or order[i] == 'paused'
    if left > 0 then
        ids = list and call('LRANGE', key, '0', left - 1)
              or call('ZRANGE', key, '0', left - 1)
    end
    if ids and ids[1] then
        local gone = {}
        for j = 1, #ids do
            -- the next run of a scheduler goes with it, and a parent that
            -- cannot be written cannot be told
            gone[j] = removal_of(base, ids[j])
                      or {queue = base, id = ids[j], key = base .. ids[j],
                          hash = ids[j] ~= 'meta'}
        end
        if list then
            call('LTRIM', key, #ids, '-1')
        else
            call('ZREMRANGEBYRANK', key, '0', #ids - 1)
        end
        for j = 1, #gone do
            removal_done(gone[j])
            if order[i] == 'active' then
                call('DEL', gone[j].key .. ':lock')
            end
        end
        left = left - #ids
    end
end
removal_end()

local schedulers = left > 0 and call('ZRANGE', base .. 'repeat', '0', left - 1)
                   or {}
for i = 1, #schedulers do
    call('DEL', base .. 'repeat:' .. schedulers[i])
end
if schedulers[1] then
    call('ZREM', base .. 'repeat', unpack(schedulers))
    left = left - #schedulers
end
if left < count then
    return 'jobs'
end

-- Who remembers a deduplication id of a job that is no more?  A queue may be
-- named so that its keys look alike.
local mark = base:gsub('[%*%?%[%]\\]', '\\%0')
local found = call('SCAN', cursor or '0', 'MATCH', mark .. 'd[en]:*', 'COUNT',
                   '1000')
for i = 1, #found[2] do
    local key = found[2][i]
    local kind, is = key:sub(#base + 1, #base + 3), call('TYPE', key).ok
    if call('EXISTS', base .. kind .. 'meta') == 0
        and (kind == 'de:' and is == 'string' or kind == 'dn:' and is == 'hash')
    then
        call('DEL', key)
    end
end
if found[1] ~= '0' then
    return 'scan ' .. found[1]
end

call('DEL', base .. 'events', base .. 'delay', base .. 'priority',
     base .. 'stalled-check', base .. 'stalled', base .. 'id', base .. 'pc',
     base .. 'marker', base .. 'meta', base .. 'limiter', base .. 'repeat',
     base .. 'metrics:completed', base .. 'metrics:completed:data',
     base .. 'metrics:failed', base .. 'metrics:failed:data',
     base .. 'sluice:bytes')
return ''
