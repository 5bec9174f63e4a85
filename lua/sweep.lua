-- Which of many queues has something for a worker, or its recorder?  Reads only.
--
-- KEYS[1..n]  "<prefix>:<queue>:" of each, 1 to 100; in a cluster of one slot
--
-- Returns for each queue what, due:
--   what  the sum of 1: a job can be taken; 2: jobs are active and nobody has
--         looked for stalled ones in the last interval; 4: the stream of records
--         of its prefix, "<prefix>::sluice:records", has some
--   due   ms of the clock at which its first delayed job can be taken, or 0
-- A key of a wrong type counts as empty.  Nothing can be taken of a queue that is
-- paused.

if #KEYS < 1 or #KEYS > 100 then
    error('1 to 100 KEYS', 0)
end
for i = 1, #KEYS do
    if not KEYS[i]:find('.:[^:]+:$') then
        error('KEYS[' .. i .. '] must be "<prefix>:<queue>:"', 0)
    end
end

local function count(command, key)
    local n = redis.pcall(command, key)
    return type(n) == 'number' and n or 0
end

local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)

local found = {}
for i = 1, #KEYS do
    local base = KEYS[i]
    local what, due = 0, 0
    local first = redis.pcall('ZRANGE', base .. 'delayed', '0', '0',
                              'WITHSCORES')[2]
    if first then
        due = math.floor(first / 4096)
    end
    if count('LLEN', base .. 'wait') > 0
        or count('ZCARD', base .. 'prioritized') > 0
        or (due > 0 and due <= now)
    then
        local paused = redis.pcall('HEXISTS', base .. 'meta', 'paused')
        if paused == 0 then
            what = 1
        end
        due = due > now and due or 0
    end
    if count('LLEN', base .. 'active') > 0
        and redis.call('EXISTS', base .. 'stalled-check') == 0
    then
        what = what + 2
    end
    if count('XLEN', base:match('^(.+):[^:]+:$') .. '::sluice:records') > 0 then
        what = what + 4
    end
    found[2 * i - 1] = what
    found[2 * i] = due
end
return found
