-- Order for each key: of the jobs of a queue whose opts have the same text as
-- `groupKey` one is run at a time, in the order of their first look by take.
--
-- The zset "<prefix>::sluice:group:<queue>:<key>" is a group's line, with a number
-- counted up as the score.  It is the turn of the first in it, from its start until
-- it is over, through stalls and pauses between attempts.  The others are in
-- `delayed`; they are looked at again when their time comes, so that whatever a
-- stock client did to the one before them, they are not forgotten.  The hash of a
-- job that is or was in a line holds the key in `gk`.

--@include due
--@include delayed

-- the next one looks again after so many ms, those behind it later
local group_again = 60000
-- how many that are over may be dropped from lines in a call
local group_looks = 1000
-- whose turn it is, of lines that this call has looked at
local group_turns = {}

-- the key in a job's opts, or nil; a digest when it is long
local function group_of(opts)
    if not opts or not opts:find('"groupKey"', 1, true) then
        return nil
    end
    local ok, options = pcall(cjson.decode, opts)
    local text = ok and type(options) == 'table' and options.groupKey
    if type(text) == 'number' then
        text = ('%.17g'):format(text)
    end
    if type(text) ~= 'string' or text == '' then
        return nil
    end
    return #text > 128 and '#' .. redis.sha1hex(text) or text
end

local function group_line(queue, gk)
    local prefix, name = queue:match('^(.-):?([^:]*):$')
    return prefix .. '::sluice:group:' .. name .. ':' .. gk
end

-- Is the job anywhere from where it can be run?  A list that is too long to be
-- searched may have it.
local function group_lives(queue, id)
    if redis.pcall('EXISTS', queue .. id .. ':lock') == 1 then
        return true
    end
    for _, set in ipairs({'delayed', 'prioritized'}) do
        if type(redis.pcall('ZSCORE', queue .. set, id)) == 'string' then
            return true
        end
    end
    for _, list in ipairs({'active', 'wait', 'paused'}) do
        local key = queue .. list
        local length = redis.pcall('LLEN', key)
        if type(length) == 'number' and (length > 2000
           or redis.pcall('LPOS', key, id, 'RANK', '-1'))
        then
            return true
        end
    end
    return false
end

-- Whose turn is it, and who is next?  Those that are over leave the line: finished
-- or removed by a stock client, or left behind in no state; and a parent that
-- waits for its children, which may be of its own group.
local function group_first(queue, line, gk)
    local ids, dropped = call('ZRANGE', line, '0', '1'), false
    while ids[1] and group_looks > 0 do
        local job = redis.pcall('HMGET', queue .. ids[1], 'gk', 'finishedOn')
        if not job.err and job[1] == gk and not job[2] and type(redis.pcall(
               'ZSCORE', queue .. 'waiting-children', ids[1])) ~= 'string'
           and group_lives(queue, ids[1])
        then
            break
        end
        group_looks = group_looks - 1
        dropped = true
        call('ZREM', line, ids[1])
        ids = call('ZRANGE', line, '0', '1')
    end
    return ids[1], ids[2], dropped
end

-- an earlier time for one that waits, maybe in another queue
local function group_due(queue, id, due)
    if id then
        redis.pcall('ZADD', queue .. 'delayed', 'XX', 'LT', due * 4096, id)
    end
end

-- It is the turn of `id` now, `second` is behind it: whoever takes next promotes it.
local function group_tell(queue, id, second)
    if id then
        group_due(queue, id, now)
        group_due(queue, second, now + group_again)
        if redis.pcall('ZADD', queue .. 'marker', 'CH', now_text, '1') == 1 then
            wake(queue)
        end
    end
end

-- The job leaves its line.  Returns whose turn it is now, and who is behind, when
-- it was its own.
local function group_leave(queue, id, gk)
    local line = group_line(queue, gk)
    group_turns[line] = nil
    local first = redis.pcall('ZRANGE', line, '0', '0')[1]
    if first and call('ZREM', line, id) == 1 and first == id then
        return group_first(queue, line, gk)
    end
end

-- The job is removed, or waits for its children.
local function group_gone(queue, id, gk)
    group_tell(queue, group_leave(queue, id, gk))
end

-- The job is over: the next goes to the front of its line.  Returns true when it
-- is there.
local function group_done(id, gk)
    local first, second = group_leave(base, id, gk)
    group_due(base, second, now + group_again)
    if not first or call('ZREM', base .. 'delayed', first) == 0 then
        return false
    end
    --@include waiting_list
    local priority = tonumber(call('HGET', base .. first, 'priority')) or 0
    call('XADD', events, '*', 'event', 'waiting', 'jobId', first, 'prev',
         'delayed')
    call('HSET', base .. first, 'delay', '0')
    call('HDEL', base .. first, 'off')
    if priority > 0 then
        call('ZADD', base .. 'prioritized', priority * 4294967296, first)
    else
        call('RPUSH', waiting_list(), first)
    end
    return true
end

-- before the first write: what is written above and below
local function group_check()
    call('LLEN', base .. 'active')
    call('LLEN', base .. 'wait')
    call('LLEN', base .. 'paused')
    call('ZCARD', base .. 'prioritized')
    call('ZCARD', base .. 'delayed')
    call('ZCARD', base .. 'marker')
    call('XLEN', events)
end

-- nil: it is the job's turn.  Else for how many ms it waits.  A line that is
-- no zset holds nobody up.
local function group_wait(id, gk)
    local line = group_line(base, gk)
    local known = redis.pcall('ZSCORE', line, id)
    if type(known) == 'table' then
        return nil
    end
    -- a job before it may have had its id
    if not known or call('HGET', base .. id, 'gk') ~= gk then
        local last = call('ZRANGE', line, '-1', '-1', 'WITHSCORES')[2]
        call('ZADD', line, (tonumber(last) or 0) + 1, id)
        call('HSET', base .. id, 'gk', gk)
    end
    if not group_turns[line] then
        -- nobody may look again when the last was finished by a stock client
        call('PEXPIRE', line, '2592000000')
        local first, second, dropped = group_first(base, line, gk)
        if dropped and first ~= id then
            group_tell(base, first, second)
        end
        group_turns[line] = first
    end
    if group_turns[line] == id then
        return nil
    end
    -- a minute a place for an hour, then ten a second
    local place = call('ZRANK', line, id)
    if not place then
        -- its hash, or another key, says that it is over
        return nil
    end
    return math.min(place, 60) * group_again + math.max(place - 60, 0) * 100
end

-- Of jobs[from..to], as take.lua has them, those that may start now are moved
-- together; the others go to `delayed`.  Returns the last, and how many wait.
local function group_filter(jobs, from, to)
    local n, waiting = from - 1, 0
    group_check()
    for i = from, to do
        local job = jobs[i]
        local gk = group_of(job[4])
        local wait = gk and group_wait(job[1], gk)
        jobs[i] = nil
        if wait then
            waiting = waiting + 1
            put_off(job[1], wait)
        else
            n = n + 1
            jobs[n] = job
        end
    end
    if waiting > 0 then
        mark_seen()
    end
    return n, waiting
end
