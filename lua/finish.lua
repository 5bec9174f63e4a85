-- Finishes jobs, completed or failed for good, and takes the next ones.
--
-- KEYS[1]   "<prefix>:<queue>:"
-- KEYS[2]   stream of records
-- KEYS[3]   prefix of the claims' keys, "<prefix>::sluice:claim:"
-- ARGV[1]   BullMQ major of the queue, 5 or 6
-- ARGV[2..7]  as ARGV[2..7] of take.lua; a count of 0 takes none, then 3..7
--             are not looked at
-- ARGV[8]   keep of completed jobs that say nothing: "count:age", count -1 all,
--           0 none; age in seconds, 0 any
-- ARGV[9]   the same of failed jobs; both are read when a job needs them
-- ARGV[10]  metrics: minutes of which the numbers of completed and of failed jobs
--           are kept, 0 none
-- ARGV[11]  bytes that all completed jobs may take, 0 any: beyond them the oldest
--           are removed, whatever their rule; it is an estimate, see fitting.lua
-- ARGV[12]  the same of failed jobs
-- ARGV[13]  number of jobs, then for each:
--   id, token
--   outcome     "completed" or "failed" (for good)
--   value       JSON returnvalue, or the reason as plain text
--   stacktrace  of this attempt, JSON array of strings, '' when completed
--   keep        the job's own, "count:age:limit", or ''
--   claim       '' none, else kept under KEYS[3] and the id; must not begin
--               with "open " or "turn ", which admit.lua uses
--   ttl         of the claim, ms
--   records     their number, then each one's text
-- and behind them, maybe, schedulers and limits, as ARGV[8..9] of take.lua
--
-- Records (XADD KEYS[2] * r <text>) and claims are facts: they are written
-- first, whatever becomes of the lease.
--
-- A child's parent, which may be of another queue, hears of it: its keys
-- <parentKey>, ...:dependencies, :processed, :failed and :unsuccessful and its
-- queue's keys are written too.  So is the job that was kept for the time after
-- this one (keepLastIfActive), before the job's own event.
--
-- The next of its group (include/group.lua) goes to the front of its line, and is
-- taken in this call when there is room.
--
-- Returns { codes, reply }: one code a job, and take.lua's reply or nil.  Jobs are
-- taken whatever the codes are: a worker is done with its job also when that is not
-- its own any more.
--    0 done               -1 the job is gone        -2 it has no lock
--   -3 it is not active   -4 it has unfinished children
--   -6 another owner      -9 it has failed children
--  -12 its parent's keys are of a wrong type or on another node of a cluster;
--      nothing is written for it

--@include due
--@include take
--@include take_arguments
--@include lease
--@include trim

local n = whole(13, 'number of jobs', 1000)
local points = whole(10, 'metrics', 100000)
local budgets = {completed = whole(11, 'bytes'), failed = whole(12, 'bytes')}
local max, duration
local count = ARGV[2] == '0' and 0 or whole(2, 'count', 1000)
if count > 0 then
    max, duration = take_arguments()
end

local at, rules, p = {}, {}, 14
local any_completed, any_failed
for i = 1, n do
    if #ARGV < p + 8 then
        error('9 arguments a job', 0)
    end
    local outcome = ARGV[p + 2]
    if outcome == 'completed' then
        any_completed = true
        if ARGV[p + 3] == '' then
            refuse(p + 3, 'value', 'must be JSON')
        end
    elseif outcome == 'failed' then
        any_failed = true
    else
        refuse(p + 2, 'outcome', 'must be completed or failed')
    end
    if ARGV[p] == '' or ARGV[p + 1] == '' then
        refuse(p, 'id', 'and token must not be empty')
    end
    rules[i] = keep_rule(ARGV[p + 5] ~= '' and p + 5
                         or outcome == 'failed' and 9 or 8)
    if ARGV[p + 6] ~= '' then
        if ARGV[p + 6]:find('^open ') or ARGV[p + 6]:find('^turn ') then
            refuse(p + 6, 'claim', 'must be a result')
        end
        if whole(p + 7, 'ttl', due_max) < 1 then
            refuse(p + 7, 'ttl', 'must be at least 1')
        end
    end
    at[i] = p
    p = p + 9
    if ARGV[p - 1] ~= '0' then
        p = p + whole(p - 1, 'number of records', 100000)
    end
end
local schedulers, limits = take_schedulers(p), take_limits(p + 1)
if #ARGV < p - 1 or #ARGV > p + 1 then
    error('too many or too few arguments', 0)
end

-- reads: who owns what, and what may not be finished
local codes, jobs, locks = owned(at)
local children, nchildren = {}, 0
local parents, any_next = {}, false
local next_check, next_put
for i = 1, n do
    local job = jobs[i]
    if job then
        local q = at[i]
        if job[4] then
            -- of the wrong type it fails here, before the first write
            call('GET', base .. 'de:' .. job[4])
            if not next_check then
                --@include next_job
                next_check, next_put = next_job_check, next_job_put
            end
            any_next = next_check(job[4]) or any_next
        end
        if job[6] then
            groups().check()
        end
        if job[3] then
            parents[i] = flows().parent(base .. ARGV[q])
        end
        if parents[i] == false then
            codes[i], jobs[i] = -12, nil
        elseif ARGV[q + 2] == 'completed' then
            local key = base .. ARGV[q]
            children[nchildren + 1] = key .. ':dependencies'
            children[nchildren + 2] = key .. ':unsuccessful'
            nchildren = nchildren + 2
        end
    end
end
if nchildren > 0 and call('EXISTS', unpack(children)) > 0 then
    for i = 1, n do
        local q = at[i]
        if jobs[i] and ARGV[q + 2] == 'completed' then
            local key = base .. ARGV[q]
            if call('EXISTS', key .. ':dependencies') == 1 then
                codes[i] = -4
            elseif call('EXISTS', key .. ':unsuccessful') == 1 then
                codes[i] = -9
            end
        end
    end
end
local sizes = {}
if any_completed then
    sizes.completed = call('ZCARD', base .. 'completed')
end
if any_failed then
    sizes.failed = call('ZCARD', base .. 'failed')
end
local counted, count_more
if points > 0 then
    --@include metrics
    for set in pairs(sizes) do
        metrics_check(set)
    end
    counted, count_more = {completed = 0, failed = 0}, metrics_count
end

-- facts, the claims first: without its claim a message is sent again
for i = 1, n do
    local q = at[i]
    if ARGV[q + 6] ~= '' then
        call('SET', KEYS[3] .. ARGV[q], ARGV[q + 6], 'PX', ARGV[q + 7])
    end
end
for i = 1, n do
    local q = at[i]
    local nrecords = ARGV[q + 8]
    if nrecords ~= '0' then
        for r = q + 9, q + 8 + nrecords do
            call('XADD', KEYS[2], '*', 'r', ARGV[r])
        end
    end
end

--@include events_max
call('XTRIM', events, 'MAXLEN', '~', events_max)
local done = end_leases(at, codes, locks)

-- The results.  Jobs go into their set together as long as their rules are the
-- same: what is left is that of one after the other.
local pending, any_turn = {}, false
for i = 1, n do
    if codes[i] == 0 then
        local q, job, rule = at[i], jobs[i], rules[i]
        local id, outcome, value = ARGV[q], ARGV[q + 2], ARGV[q + 3]
        local key, more = base .. id, nil
        local atm = job[5] and tostring((tonumber(job[5]) or 0) + 1) or '1'

        if job[4] then
            local owner = base .. 'de:' .. job[4]
            if call('GET', owner) == id and call('PTTL', owner) == -1 then
                call('DEL', owner)
            end
            if any_next then
                next_put(job[4])
            end
        end
        if parents[i] then
            if outcome == 'completed' then
                flow.done(parents[i], key, value)
            else
                flow.failed(parents[i], key, value)
            end
            if rule.count == 0 then
                flow.gone(parents[i], key)
            end
        end
        if counted then
            counted[outcome] = counted[outcome] + 1
        end
        if job[6] then
            any_turn = groups().done(id, job[6]) or any_turn
        end

        if outcome == 'completed' then
            call('XADD', events, '*', 'event', 'completed', 'jobId', id,
                 'returnvalue', value, 'prev', 'active')
        else
            call('XADD', events, '*', 'event', 'failed', 'jobId', id,
                 'failedReason', value, 'prev', 'active')
            more = call('HMGET', key, 'opts', 'stacktrace')
            local ok, opts = pcall(cjson.decode, more[1] or '{}')
            local attempts = ok and type(opts) == 'table'
                             and tonumber(opts.attempts) or 0
            if tonumber(atm) >= attempts then
                call('XADD', events, '*', 'event', 'retries-exhausted',
                     'jobId', id, 'attemptsMade', atm)
            end
        end

        if rule.count == 0 then
            remove_job(key)
        else
            if outcome == 'completed' then
                call('HSET', key, 'atm', atm, 'returnvalue', value,
                     'finishedOn', now_text)
            else
                --@include stack
                call('HSET', key, 'atm', atm, 'failedReason', value,
                     'stacktrace', stack_of(more[2], ARGV[q + 4], more[1]),
                     'finishedOn', now_text)
                call('HDEL', key, 'defa')
            end
            local ids = pending[outcome]
            if ids and ids.rule ~= rule then
                sizes[outcome] = put_finished(outcome, ids, sizes[outcome],
                                              budgets[outcome])
                ids = nil
            end
            if ids then
                local last = #ids
                ids[last + 1], ids[last + 2] = now_text, id
            else
                pending[outcome] = {now_text, id, rule = rule}
            end
        end
    end
end
for set, ids in pairs(pending) do
    put_finished(set, ids, sizes[set], budgets[set])
end
if ndoomed > 0 then
    call('DEL', unpack(doomed))
end
if counted then
    for set, more in pairs(counted) do
        if more > 0 then
            count_more(set, more, points)
        end
    end
end

-- the next ones
local reply = false
if count > 0 then
    reply = take(count, max, duration, schedulers, limits)
end
if any_turn and not (reply and reply[3][1]) then
    --@include mark_waiting
    mark_waiting()
end
if done > 0 and (not reply or (reply[1] == 'idle' and not reply[3][1]))
    and call('LLEN', base .. 'active') == 0
    and call('LLEN', base .. 'wait') == 0
    and call('ZCARD', base .. 'prioritized') == 0
then
    call('XADD', events, '*', 'event', 'drained')
end

return {codes, reply}
