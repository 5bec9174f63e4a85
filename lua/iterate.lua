-- Adds the next iteration of a job scheduler, when the one before was taken.  A
-- call that comes twice, after a stall or a lost connection, changes nothing the
-- second time.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  id of the scheduler, the job's field rjk
-- ARGV[3]  id of the job that was taken, "repeat:<scheduler>:<ms>"
-- ARGV[4]  ms of the next one, which the caller works out (sluice_schedule_next)
--
-- Its name and data are the scheduler's; its opts are those of the job, the
-- count in `repeat` one more.
--
-- Returns the id of the new job, or a code:
--    0 there is no such scheduler, or the job is not its current iteration
--   -1 the job is gone, or its opts cannot be read
--  -10 the next job is there already (event `duplicated`)

--@include queue
--@include iteration

if #ARGV ~= 4 then
    error('4 arguments', 0)
end
local scheduler, id, at = ARGV[2], ARGV[3], ARGV[4]
if scheduler == '' then
    refuse(2, 'id', 'of the scheduler must not be empty')
end
whole(4, 'time', due_max)

iteration_check(scheduler)
local last = call('ZSCORE', schedulers, scheduler)
if not last or id ~= iteration_id(scheduler, last)
    or at == last
then
    return 0
end
local about = call('HMGET', schedulers .. ':' .. scheduler, 'name', 'data', 'ic')
if not about[3] then
    return 0
end
local job = call('HMGET', base .. id, 'name', 'data', 'opts')
local ok, opts = pcall(cjson.decode, job[3] or '')
if not ok or type(opts) ~= 'table' or type(opts['repeat']) ~= 'table' then
    return -1
end
local following = iteration_id(scheduler, at)
if call('EXISTS', base .. following) == 1 then
    --@include events_max
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'duplicated',
         'jobId', following)
    return -10
end

opts.attempts = opts.attempts or 0
opts['repeat'].count = (tonumber(opts['repeat'].count) or 1) + 1
call('ZADD', schedulers, at, scheduler)
call('HINCRBY', schedulers .. ':' .. scheduler, 'ic', '1')
iteration_put(scheduler, at, about[1] or job[1] or '',
              about[2] or job[2] or '{}', opts)
if ARGV[1] == '5' then
    call('HSET', base .. id, 'nrjid', following)
end
return following
