-- Takes the next jobs: promotes what is due, then moves jobs to `active`.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  count      at most so many, 1 to 1000
-- ARGV[3]  token      of the locks, not '' and not '0'
-- ARGV[4]  lock       ms until a lock expires
-- ARGV[5]  worker     name, '' none
-- ARGV[6]  max        jobs started in a duration by whoever limits, '' none
-- ARGV[7]  duration   ms, '' with max ''
-- ARGV[8]  schedulers  1: the caller calls iterate.lua for each job with rjk
--                     before it runs it; left out: such jobs are left to others
--
-- Returns { status, value, jobs }.  What was taken before it stopped is in
-- jobs whatever the status.
--   "ok"       count jobs
--   "idle"     there is nothing more
--   "delayed"  nothing more until value (ms of the clock)
--   "limited"  by the rate limit, for value ms
--   "paused"   the queue is paused
--   "full"     meta.concurrency is reached
--   "refused"  there is nothing more but jobs that must be left to others;
--              value is "<id> <reason>" of the first
-- A job is { id, name, data, opts, timestamp, delay, priority, atm, ats, stc,
-- defa, deid, parentKey, rjk }, text, '' when absent; ats counts this start.
-- A job with defa must be failed with that text, without being run.
--
-- A job is left where it is when it is of a job scheduler that would stop, waits
-- for its children, or its parent is on another node of a cluster.  Those behind
-- it are taken past it, until there are 64 such jobs.

--@include due
--@include take
--@include take_arguments

if #ARGV ~= 7 and #ARGV ~= 8 then
    error('7 or 8 arguments', 0)
end
local schedulers = take_schedulers(8)
local count = whole(2, 'count', 1000)
if count < 1 then
    refuse(2, 'count', 'must be at least 1')
end
local max, duration = take_arguments()
-- read before the first write; finish.lua has trimmed it by then
call('XLEN', events)
return take(count, max, duration, schedulers)
