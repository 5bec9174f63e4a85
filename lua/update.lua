-- Changes what a job says: its data, its progress, or its log.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  id
-- ARGV[3]  "data"      the value is JSON text, stored as it is
--          "progress"  the same; event `progress`
--          "log"       the value is a line of text
-- ARGV[4]  the value
-- ARGV[5]  how many lines of the log are kept, '' all; '' with the others
--
-- A progress that is not JSON would end every reader of the events.
--
-- Returns 1, of a log the number of its lines; or -1 there is no such job.

--@include queue
--@include is_job

local what, value = ARGV[3], ARGV[4]
if #ARGV ~= 5 then
    error('5 arguments', 0)
end
if what ~= 'data' and what ~= 'progress' and what ~= 'log' then
    refuse(3, 'what', 'must be data, progress or log')
end
if what ~= 'log' then
    -- NaN and the like are no JSON, though cjson takes them by default
    cjson.decode_invalid_numbers(false)
    local ok = pcall(cjson.decode, value)
    cjson.decode_invalid_numbers(true)
    if not ok then
        refuse(4, 'value', 'must be JSON')
    end
    if ARGV[5] ~= '' then
        refuse(5, 'lines', 'must be empty without a log')
    end
end
local keep = ARGV[5] ~= '' and whole(5, 'lines')
if keep and keep < 1 then
    refuse(5, 'lines', 'must be at least 1')
end

local key = base .. ARGV[2]
if not is_job(ARGV[2]) then
    return -1
end

if what == 'log' then
    local lines = call('RPUSH', key .. ':logs', value)
    if keep and lines > keep then
        call('LTRIM', key .. ':logs', -keep, '-1')
        lines = keep
    end
    return lines
end
if what == 'progress' then
    --@include events_max
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'progress',
         'jobId', ARGV[2], 'data', value)
end
call('HSET', key, what, value)
return 1
