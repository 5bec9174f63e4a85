-- Flows: what a child does to its parent, which may be of another queue.

--@include due
--@include waiting_list
--@include wake

local flow_job = {'HLEN', '', 'SCARD', ':dependencies', 'HLEN', ':processed',
                  'HLEN', ':failed', 'ZCARD', ':unsuccessful'}
local flow_queue = {'HLEN', 'meta', 'LLEN', 'wait', 'LLEN', 'paused', 'LLEN',
                    'active', 'ZCARD', 'prioritized', 'ZCARD', 'delayed',
                    'ZCARD', 'failed', 'ZCARD', 'completed', 'ZCARD',
                    'waiting-children', 'ZCARD', 'marker', 'XLEN', 'events',
                    'GET', 'pc'}
local flow_known = {}

-- Can the keys be written?  One of a wrong type, or in a slot of another node of
-- a cluster, fails when it is read.
local function flow_writable(key, reads)
    if flow_known[key] == nil then
        local last
        flow_known[key] = true
        for i = 1, #reads, 2 do
            last = redis.pcall(reads[i], key .. reads[i + 1])
            if type(last) == 'table' and last.err then
                flow_known[key] = false
                return false
            end
        end
        -- `pc`, when it is a queue
        flow_known[key] = not last or tonumber(last) ~= nil
    end
    return flow_known[key]
end

local function flow_both_writable(key, queue)
    return flow_writable(key, flow_job) and flow_writable(queue, flow_queue)
end

-- The parent of the job `child`, to be asked for before the first write: nil
-- none, false its keys cannot be written.
local function flow_parent(child)
    local fields = redis.pcall('HMGET', child, 'parentKey', 'parent')
    local key = fields[1]
    if not key or key == '' then
        return nil
    end
    local ok, parent = pcall(cjson.decode, fields[2] or '')
    if not ok or type(parent) ~= 'table' then
        parent = {}
    end
    local queue, id = parent.queueKey, parent.id
    if type(queue) == 'string' and type(id) == 'string'
        and queue .. ':' .. id == key
    then
        queue = queue .. ':'
    else
        -- hashes of old versions have no `parent`
        queue, id = key:match('^(.*:)([^:]+)$')
        if not queue then
            return nil
        end
    end
    if not flow_both_writable(key, queue) then
        return false
    end
    return {key = key, queue = queue, id = id, fpof = parent.fpof == true,
            cpof = parent.cpof == true, idof = parent.idof == true,
            rdof = parent.rdof == true}
end

-- puts a parent that waits no more into its line
local function flow_release(parent)
    local queue, id = parent.queue, parent.id
    local job = call('HMGET', parent.key, 'priority', 'delay')
    local priority, delay = tonumber(job[1]) or 0, tonumber(job[2]) or 0
    if delay > 0 then
        local due = math.min(now + math.floor(delay), due_max)
        call('ZADD', queue .. 'delayed', due * 4096, id)
        call('XADD', queue .. 'events', '*', 'event', 'delayed', 'jobId', id,
             'delay', ('%.0f'):format(due))
        local first = call('ZRANGE', queue .. 'delayed', '0', '0', 'WITHSCORES')
        if call('ZADD', queue .. 'marker', 'CH', first[2] / 4096, '1') == 1
        then
            wake(queue)
        end
        return
    end
    local about = call('HMGET', queue .. 'meta', 'paused', 'concurrency')
    if priority > 0 then
        call('ZADD', queue .. 'prioritized', priority * 4294967296
             + call('INCR', queue .. 'pc') % 4294967296, id)
    else
        call('RPUSH', waiting_list(queue, about[1]), id)
    end
    local most = tonumber(about[2])
    if not about[1] and (not most or call('LLEN', queue .. 'active') < most)
        and call('ZADD', queue .. 'marker', 'CH', '0', '0') == 1
    then
        wake(queue)
    end
    call('XADD', queue .. 'events', '*', 'event', 'waiting', 'jobId', id,
         'prev', 'waiting-children')
end

local function flow_waits(parent)
    return call('ZREM', parent.queue .. 'waiting-children', parent.id) == 1
end

-- Takes the child from those that the parent waits for; false when it is none
-- of them, or there is no parent.
local function flow_detach(parent, child)
    return call('SREM', parent.key .. ':dependencies', child) == 1
           and call('EXISTS', parent.key) == 1
end

local function flow_ready(parent)
    if call('EXISTS', parent.key .. ':dependencies') == 0
        and flow_waits(parent)
    then
        flow_release(parent)
    end
end

-- the child is completed; more: others are still to be added
local function flow_done(parent, child, value, more)
    if flow_detach(parent, child) then
        call('HSET', parent.key .. ':processed', child, value)
        if not more then
            flow_ready(parent)
        end
    end
end

-- the child is failed for good; without an option its parent waits on
local function flow_failed(parent, child, reason, more)
    if not (parent.fpof or parent.cpof or parent.idof or parent.rdof)
        or not flow_detach(parent, child)
    then
        return
    end
    if parent.fpof then
        call('ZADD', parent.key .. ':unsuccessful', now_text, child)
        local free = flow_waits(parent)
        if not free
            and call('ZREM', parent.queue .. 'delayed', parent.id) == 1
        then
            call('HSET', parent.key, 'delay', '0')
            free = true
        end
        if free or not call('ZSCORE', parent.queue .. 'failed', parent.id) then
            call('HSET', parent.key, 'defa', 'child ' .. child .. ' failed')
        end
        if free then
            flow_release(parent)
        end
        return
    end
    if parent.cpof or parent.idof then
        call('HSET', parent.key .. ':failed', child, reason)
    end
    if not parent.cpof then
        if not more then
            flow_ready(parent)
        end
    elseif flow_waits(parent) then
        flow_release(parent)
    end
end

-- the child is removed
local function flow_gone(parent, child)
    if flow_detach(parent, child) then
        flow_ready(parent)
    end
end

-- The child, which was finished, is to be run again: its parent waits for it, if
-- it has kept its end at all.
local function flow_back(parent, child)
    if call('EXISTS', parent.key) == 1
        and call('HDEL', parent.key .. ':processed', child)
            + call('HDEL', parent.key .. ':failed', child)
            + call('ZREM', parent.key .. ':unsuccessful', child) > 0
    then
        call('SADD', parent.key .. ':dependencies', child)
    end
end
