-- Removes old jobs of one state, or all of them, some in each call.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "completed", "failed", "delayed", "prioritized", "wait", "paused" or
--          "active" (of those only the ones that have no lock)
-- ARGV[3]  grace, ms: only jobs that were finished, else started, else added
--          that long ago; 0 all
-- ARGV[4]  how many were passed over by the calls before
-- ARGV[5]  count, 1 to 1000: so many are looked at, the oldest first
-- ARGV[6]  1 writes the event `cleaned`; 0 does not, for draining a queue
--
-- Passed over are jobs that are too young, locked, the next run of a scheduler,
-- or whose parent's keys cannot be written.  Jobs that others move while the
-- calls go on may be passed over too.
--
-- Returns { looked at, passed over, ids removed, how many there were }.  The last
-- call is the one that looks at fewer than `count`; or, of a queue that is fed
-- meanwhile, the one with which as many were looked at as there were at the first.

--@include queue
--@include removal

if #ARGV ~= 6 then
    error('6 arguments', 0)
end
local set, list = ARGV[2], false
local ages = {'timestamp', 'processedOn', 'finishedOn'}
if set == 'wait' or set == 'paused' or set == 'active' then
    list = true
elseif set == 'delayed' then
    ages = {'timestamp', 'processedOn'}
elseif set == 'prioritized' then
    ages = {'timestamp'}
elseif set == 'completed' or set == 'failed' then
    ages = nil
else
    refuse(2, 'state', 'must be a state')
end
local grace, skip = whole(3, 'grace'), whole(4, 'passed over')
local count = whole(5, 'count', 1000)
if count < 1 then
    refuse(5, 'count', 'must be at least 1')
end
local announce = whole(6, 'event', 1) == 1

-- the next of a line is the last of its list
local key, ids = base .. set, nil
call('XLEN', events)
local there = call(list and 'LLEN' or 'ZCARD', key)
if list then
    local from = call('LRANGE', key, -skip - count, -skip - 1)
    ids = {}
    for i = #from, 1, -1 do
        ids[#ids + 1] = from[i]
    end
elseif ages then
    ids = call('ZRANGE', key, skip, skip + count - 1)
else
    ids = call('ZRANGEBYSCORE', key, '-inf',
               grace == 0 and '+inf' or ('%.0f'):format(now - grace), 'LIMIT',
               skip, count)
end

local function too_young(id)
    if not ages or grace == 0 then
        return false
    end
    local at = redis.pcall('HMGET', base .. id, unpack(ages))
    if at.err then
        return false
    end
    local last
    for i = #ages, 1, -1 do
        last = last or tonumber(at[i])
    end
    return last and last > now - grace
end

local gone, places, stay = {}, {}, 0
for i = 1, #ids do
    local id = ids[i]
    local one
    if not (too_young(id) or set == 'active'
            and call('EXISTS', base .. id .. ':lock') == 1)
    then
        one = removal_of(base, id)
    end
    if one then
        gone[#gone + 1] = one
        places[#gone] = i
    else
        stay = stay + 1
    end
end

local removed = {}
for i = 1, #gone do
    removed[i] = gone[i].id
end
if removed[1] then
    if list then
        -- each is searched for from this end, and is not far from it
        for i = 1, #places do
            call('LSET', key, -skip - places[i], 'sluice:removed')
        end
        call('LREM', key, -#places, 'sluice:removed')
    else
        call('ZREM', key, unpack(removed))
    end
    for i = 1, #gone do
        removal_done(gone[i])
    end
    removal_end()
end
if announce then
    --@include events_max
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'cleaned',
         'count', #removed)
end
return {#ids, stay, removed, there}
