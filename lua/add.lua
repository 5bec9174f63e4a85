-- Adds jobs, all or none.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- then for each job, 1 to 1000 of them:
--   id         '' takes the queue's counter; else of the caller's own prefix
--              and alphabet ("e-...", "m-..."): ids share the key space with
--              the queue's own keys
--   name       free text
--   data       JSON text, stored as it is
--   opts       JSON object text, stored as it is
--   delay      ms, 0 none
--   priority   0 none, 1 first .. 2097151 last
--   lifo       1 to the front of its line, else 0
--   timestamp  ms, '' the clock of Redis
--   dedupe     '' none; else "ttl:key": what BullMQ calls deduplication, a key
--              that is remembered for ttl ms, however long the job lives
--
-- For a call that may come twice, after a lost connection or from a spool:
-- KEYS[2]  what is remembered of such calls
-- and after the jobs 4 more of ARGV:
--   once    "call": KEYS[2] is "<prefix>::sluice:edge:<connection>", the
--           numbers of the calls that were run
--           "spool": KEYS[2] is "<prefix>::sluice:spool:<segment>", the number
--           of the last record that was replayed
--   number  1 and up: of this call; of the first record in this call
--   upto    numbers up to this will not come again, 0 none; the last record
--           in this call
--   ttl     ms to remember KEYS[2] from now on, 0 as it is
--
-- Returns an array, one a job: 1 added, 0 the id exists (its job is not
-- changed; event `duplicated`), the id that was allocated, as text, or an array
-- of one, the id of the job that came first with this key (nothing is added;
-- event `deduplicated`).
-- A call that was run before changes no job and returns an integer: its number,
-- or the last record that was replayed.

--@include queue
--@include due

local n = (#ARGV - (KEYS[2] and 5 or 1)) / 9
if n < 1 or n > 1000 or n % 1 ~= 0 then
    error('9 arguments a job, 1 to 1000 jobs', 0)
end

local once, once_number
if KEYS[2] then
    --@include once_arguments
end

-- only what is not plain is remembered: due ms, priority
local due, priorities, any_plain = {}, {}, false
-- and what is deduplicated: key, ttl, owner
local unique, claim
local byte = string.byte
for p = 2, 9 * n, 9 do
    local id = ARGV[p]
    local first = byte(id)
    if first and first < 58 and first > 47
        and (id == '0' or id:find('^0:') or not id:find('%D'))
    then
        refuse(p, 'id', 'must not be a number')
    end
    if ARGV[p + 2] == '' then
        refuse(p + 2, 'data', 'must be JSON')
    end
    if byte(ARGV[p + 3]) ~= 123 then
        refuse(p + 3, 'opts', 'must be a JSON object')
    end
    local lifo, timestamp = ARGV[p + 6], now
    if lifo ~= '0' and lifo ~= '1' then
        refuse(p + 6, 'lifo', 'must be 0 or 1')
    end
    if ARGV[p + 7] ~= '' then
        timestamp = whole(p + 7, 'timestamp', due_max)
    end
    if ARGV[p + 8] ~= '' then
        unique = unique or {}
        unique[p] = true
    end
    local priority = ARGV[p + 5] == '0' and 0
                     or whole(p + 5, 'priority', 2097151)
    if ARGV[p + 4] ~= '0' and whole(p + 4, 'delay', due_max) > 0 then
        due[p] = timestamp + ARGV[p + 4]
        if due[p] > due_max then
            refuse(p + 4, 'delay', 'is too large')
        end
    elseif priority > 0 then
        priorities[p] = priority
    else
        any_plain = true
    end
end

if unique then
    --@include unique
    claim = unique_claim
    for p in pairs(unique) do
        unique[p] = unique_argument(p + 8)
    end
end

-- A key of a wrong type stops the call before a job is half there: what is
-- pushed to at the end is read first, and an event comes before the hash.
local any_delayed, any_prioritized = next(due), next(priorities)
local list = base .. 'wait'
if any_plain then
    if paused then
        --@include waiting_list
        list = waiting_list()
    end
    call('LLEN', list)
end
if any_prioritized then
    --@include prioritized
    check_prioritized()
end
if any_delayed then
    call('ZCARD', base .. 'delayed')
end

local counter = call('INCRBY', base .. 'id', n) - n
--@include events_max
if any_plain or any_prioritized then
    --@include mark_waiting
    mark_waiting()
end
if KEYS[2] then
    --@include once
end

local result, back, front, nback, nfront = {}, {}, {}, 0, 0
local delayed, later, places = {}, {}, {}
local last = 9 * n - 7
for p = 2, last, 9 do
    local id, i = ARGV[p], (p + 7) / 9
    local added
    if id == '' then
        id = ('%.0f'):format(counter + i)
        added = id
    else
        added = 1
    end
    local key = base .. id

    if added == 1 and call('EXISTS', key) == 1 then
        result[i] = 0
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'duplicated', 'jobId', id)
    elseif unique and unique[p] and not claim(unique[p], id) then
        result[i] = {unique[p].owner}
    else
        result[i] = added
        local name, timestamp = ARGV[p + 1], ARGV[p + 7]
        call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
        call('HSET', key, 'name', name, 'data', ARGV[p + 2], 'opts',
             ARGV[p + 3], 'timestamp',
             timestamp == '' and now_text or timestamp, 'delay', ARGV[p + 4],
             'priority', ARGV[p + 5])
        if unique and unique[p] then
            call('HSET', key, 'deid', unique[p].key)
        end
        if due[p] then
            delayed[#delayed + 1] = p
            delayed[#delayed + 1] = id
            call('XADD', events, '*', 'event', 'delayed', 'jobId', id,
                 'delay', ('%.0f'):format(due[p]))
        else
            if priorities[p] then
                later[#later + 1] = id
                places[#later] = priorities[p]
            elseif ARGV[p + 6] == '1' then
                nfront = nfront + 1
                front[nfront] = id
            else
                nback = nback + 1
                back[nback] = id
            end
            -- once a call is enough to keep the stream short
            if p == last then
                call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                     'waiting', 'jobId', id)
            else
                call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
            end
        end
    end
end

if nback > 0 then
    call('LPUSH', list, unpack(back))
end
if nfront > 0 then
    call('RPUSH', list, unpack(front))
end
if later[1] then
    --@include prioritized
    put_prioritized(later, places)
end
if delayed[1] then
    --@include delayed
    for j = 1, #delayed, 2 do
        put_delayed(delayed[j + 1], due[delayed[j]])
    end
    mark_delayed()
end

return result
