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
--                     before it runs it; 0 or left out: such jobs are left to
--                     others
-- ARGV[9]  limits     '' or left out: none; else words with a space between:
--   floor:N           so many of these jobs, when there are, come first from
--                     the lowest class that has any.  Classes: high, jobs
--                     without priority; medium, priorities to 10; low
--   rate:I:T          no more jobs than one in I µs, of which T µs may run
--                     ahead: of all queues of this prefix that say so
--   quota:I:T         the same once more, for a day
--   high:I:T  medium:I:T  low:I:T   of a class of this queue
--
--   paces:MS          a job whose fields sndr and rcpt say for whom it is is put
--                     off to its turn (admit.lua), unless that is within MS; at
--                     most 64 a call, and those behind them are taken
--
-- A job is counted when it is started, but for one with defa.  A bucket is a
-- string, the tat of core/gcra.c in µs: "<prefix>::sluice:rate", "...:quota",
-- "...:rate:<queue>:<class>"; an idle one expires.
--
-- Returns { status, value, jobs }.  What was taken before it stopped is in
-- jobs whatever the status.
--   "ok"       count jobs; or fewer, and there may be more: call again
--   "idle"     there is nothing more
--   "delayed"  nothing more until value (ms of the clock)
--   "limited"  by the rate limit, or the bucket rate or quota, for value ms
--   "class"    by the bucket of a class that has jobs, for value ms; the others
--              have nothing more
--   "paused"   the queue is paused
--   "full"     meta.concurrency is reached
--   "refused"  there is nothing more but jobs that must be left to others;
--              value is "<id> <reason>" of the first
-- A job is { id, name, data, opts, timestamp, delay, priority, atm, ats, stc,
-- defa, deid, parentKey, rjk }, text, '' when absent; ats counts this start.
-- A job with defa must be failed with that text, without being run.
--
-- Of the jobs with the same `groupKey` in their opts one is taken at a time; the
-- others go to `delayed` until it is over (include/group.lua).  A call puts off 64
-- of them, and those that it has read with them.
--
-- A job is left where it is when it is of a job scheduler that would stop, waits
-- for its children, or its parent is on another node of a cluster.  Those behind
-- it are taken past it, until there are 64 such jobs.

--@include due
--@include take
--@include take_arguments

if #ARGV < 7 or #ARGV > 9 then
    error('7 to 9 arguments', 0)
end
local schedulers, limits = take_schedulers(8), take_limits(9)
local count = whole(2, 'count', 1000)
if count < 1 then
    refuse(2, 'count', 'must be at least 1')
end
local max, duration = take_arguments()
-- read before the first write; finish.lua has trimmed it by then
call('XLEN', events)
return take(count, max, duration, schedulers, limits)
