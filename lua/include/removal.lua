-- Removing jobs: from their state, from their parent, and all keys of theirs.

--@include flows
--@include groups
--@include doomed

local removal_states = {'completed', 'ZREM', 'failed', 'ZREM', 'delayed', 'ZREM',
                        'prioritized', 'ZREM', 'waiting-children', 'ZREM',
                        'active', 'LREM', 'wait', 'LREM', 'paused', 'LREM'}

-- What is to be known of a job before the first write, or nil and a code: -1
-- there is no such job, -8 it is the next run of a scheduler, -12 its parent's
-- keys cannot be written.  An id may be in a state without a hash of its own.
local function removal_of(queue, id)
    local key = queue .. id
    local job = redis.pcall('HMGET', key, 'name', 'data', 'timestamp', 'rjk',
                            'deid', 'parentKey', 'gk')
    local one = {queue = queue, id = id, key = key, hash = not job.err,
                 here = job[1] and job[3]}
    -- the one hash of a queue that an id can name
    if id == 'meta' then
        return nil, -1
    end
    if job.err then
        return one
    end
    one.group = job[7]
    if job[4] then
        local at = redis.pcall('ZSCORE', queue .. 'repeat', job[4])
        if type(at) == 'string' and id == 'repeat:' .. job[4] .. ':' .. at then
            return nil, -8
        end
    end
    if job[5] and redis.pcall('GET', queue .. 'de:' .. job[5]) == id then
        one.dedup = job[5]
    end
    if job[6] then
        one.parent = flows().parent(key)
        if one.parent == false then
            return nil, -12
        end
    end
    return one
end

-- Takes the id out of wherever it is.  Returns the state, or nil, and how many
-- ids were looked through for it.
local function removal_take(one)
    local work = 0
    for i = 1, #removal_states, 2 do
        local key, found = one.queue .. removal_states[i], 0
        if removal_states[i + 1] == 'ZREM' then
            found = call('ZREM', key, one.id)
        else
            local length = call('LLEN', key)
            work = work + length
            if length > 0 then
                found = call('LREM', key, '0', one.id)
            end
        end
        if found > 0 then
            return removal_states[i], work
        end
    end
    return nil, work
end

-- the job itself, which is in no state any more
local function removal_done(one)
    if one.dedup then
        call('DEL', one.queue .. 'de:' .. one.dedup,
             one.queue .. 'dn:' .. one.dedup)
    end
    if one.parent then
        flows().gone(one.parent, one.key)
    end
    if one.group then
        groups().gone(one.queue, one.id, one.group)
    end
    if one.hash then
        remove_job(one.key)
    end
end

local function removal_end()
    if ndoomed > 0 then
        call('DEL', unpack(doomed, 1, ndoomed))
        doomed, ndoomed = {}, 0
    end
end
