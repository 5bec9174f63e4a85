-- Adds a job scheduler, or changes it, with the iteration that is next.
--
-- KEYS[1]   "<prefix>:<queue>:"
-- ARGV[1]   BullMQ major of the queue, 5 or 6
-- ARGV[2]   id of the scheduler
-- ARGV[3]   ms of its first iteration, which the caller works out
--           (sluice_schedule_first)
-- ARGV[4]   offset, ms, as the same call gives it
-- ARGV[5]   name of its jobs
-- ARGV[6]   data of its jobs, JSON text
-- ARGV[7]   opts of its jobs, JSON object text in the names that are stored,
--           without jobId, delay and repeat
-- ARGV[8]   its schedule, JSON object text: every, or pattern and maybe tz;
--           maybe limit, startDate, endDate, offset, immediately
--
-- An iteration that waits is replaced; one that is active or finished stays.  A
-- scheduler that has the same `every` and startDate already goes on where it is,
-- whatever ARGV[3] says: at the same time, or, when that one stays, the next.
--
-- Returns the id of the iteration, or a code, and then nothing is changed:
--   -10 its job is there already, and does not wait
--   -11 so are those of the two times behind it

--@include queue
--@include removal
--@include iteration

if #ARGV ~= 8 then
    error('8 arguments', 0)
end
local scheduler, name, data = ARGV[2], ARGV[5], ARGV[6]
if scheduler == '' then
    refuse(2, 'id', 'must not be empty')
end
whole(3, 'time', due_max)
whole(4, 'offset', due_max)
if data == '' then
    refuse(6, 'data', 'must be JSON')
end
local opts, plan = json_object(7, 'opts'), json_object(8, 'schedule')
json_whole(7, 'opts', opts, 'priority', 2097151)
-- what is stored, in BullMQ's order; numbers as text
local stored, about = {}, {}
for _, field in ipairs({'startDate', 'endDate', 'tz', 'pattern', 'every',
                        'limit', 'offset', 'immediately'})
do
    local value = plan[field]
    if value == cjson.null then
        value = nil
    end
    if value ~= nil then
        local number = field ~= 'tz' and field ~= 'pattern'
        if field == 'immediately' then
            number = type(value) == 'boolean'
        elseif number then
            number = type(value) == 'number' and value >= 0 and value % 1 == 0
        else
            number = type(value) == 'string'
        end
        if not number then
            refuse(8, 'schedule', 'has a wrong ' .. field)
        end
        about[field] = value
        if field ~= 'offset' and field ~= 'immediately' then
            stored[#stored + 1] = field
            stored[#stored + 1] = type(value) == 'number'
                                  and ('%.0f'):format(value) or value
        end
    end
end
if (about.every == nil) == (about.pattern == nil) or about.every == 0 then
    refuse(8, 'schedule', 'must have either every or pattern')
end

-- reads
iteration_check(scheduler)
for i = 1, #removal_states, 2 do
    call(removal_states[i + 1] == 'ZREM' and 'ZCARD' or 'LLEN',
         base .. removal_states[i])
end
local key = schedulers .. ':' .. scheduler
local had = call('HMGET', key, 'every', 'startDate', 'offset', 'ic')
local at, offset = ARGV[3], ARGV[4]
local last = call('ZSCORE', schedulers, scheduler)
local current, waits
if last then
    local id = iteration_id(scheduler, last)
    local job = base .. id
    if call('EXISTS', job) == 1 then
        waits = call('EXISTS', job .. ':lock') == 0
                and not call('ZSCORE', base .. 'completed', id)
                and not call('ZSCORE', base .. 'failed', id)
        current = {queue = base, id = id, key = job, hash = true,
                   group = call('HGET', job, 'gk')}
    end
    if about.every and tonumber(had[1]) == about.every
        and tonumber(had[2]) == about.startDate
    then
        at, offset = last, had[3] or offset
    end
end
local taken = call('EXISTS', base .. iteration_id(scheduler, at)) == 1
if taken and not (waits and at == last) then
    if not about.every then
        return -10
    end
    local tries = 0
    repeat
        at = ('%.0f'):format(at + about.every)
        tries = tries + 1
        if tries > 2 or tonumber(at) > due_max then
            return -11
        end
    until call('EXISTS', base .. iteration_id(scheduler, at)) == 0
end

if waits then
    removal_take(current)
    removal_done(current)
    removal_end()
end
call('ZADD', schedulers, at, scheduler)
call('DEL', key)
stored[#stored + 1] = 'offset'
stored[#stored + 1] = offset
if next(opts) then
    stored[#stored + 1] = 'opts'
    stored[#stored + 1] = ARGV[7]
end
if data ~= '{}' then
    stored[#stored + 1] = 'data'
    stored[#stored + 1] = data
end
call('HSET', key, 'name', name, 'ic', had[4] or '1', unpack(stored))
about.count = 1
about.immediately = nil
opts['repeat'] = about
return iteration_put(scheduler, at, name, data, opts)
