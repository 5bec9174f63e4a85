-- Adds one job, with all that BullMQ's add knows: every kind of deduplication, a
-- parent, children to wait for.  add.lua is for many plain jobs.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  id         '' takes the queue's counter; else as in add.lua
-- ARGV[3]  name       free text
-- ARGV[4]  data       JSON text, stored as it is
-- ARGV[5]  opts       JSON object text in the names that are stored, stored as it
--                     is; delay, priority, lifo and de are heeded
-- ARGV[6]  timestamp  ms, '' the clock of Redis
-- ARGV[7]  parent     '' none; else JSON object text {"id", "queueKey"}, maybe
--                     one of "fpof", "cpof", "idof", "rdof": true; not with de
-- ARGV[8]  flow       1: it waits in `waiting-children` for its children to be
--                     added; all of them have to be, or it waits for ever.  2:
--                     more children of its parent are to be added, so that it
--                     does not end the parent's waiting if it is over already:
--                     in one MULTI with them, or whoever dies between two calls
--                     leaves a parent that waits for ever.
--                     3 both, 0 neither
-- ARGV[9]  scheduler  of which it is an iteration, '' none
--
-- opts.de {"id", "ttl", "extend", "replace", "keepLastIfActive", "reschedule"}:
-- while a job of the same id is remembered, for ttl ms or until it is over, a new
-- one is not added.  With extend the ttl begins again; with replace an owner that
-- is delayed is removed for the new one; with keepLastIfActive the new one is kept
-- while the owner is active, and added when that is over (its ttl is not heeded);
-- with reschedule an owner that is delayed waits for the new delay from now on.
--
-- Returns { what, id }:
--   "added"         the job
--   "duplicate"     a job has the id already; it is not changed, but that it gets
--                   the parent (event `duplicated`)
--   "deduplicated"  nothing is added; the id is the owner's
-- or a code, and then no job is changed: -5 the parent is not there, -7 the job
-- that has the id has another parent, -12 the parent's keys cannot be written

--@include queue
--@include removal
--@include place

if #ARGV ~= 9 then
    error('9 arguments', 0)
end
local id, name, data = ARGV[2], ARGV[3], ARGV[4]
if id == '0' or id:find('^0:') or id ~= '' and not id:find('%D') then
    refuse(2, 'id', 'must not be a number')
end
if data == '' then
    refuse(4, 'data', 'must be JSON')
end
local opts = json_object(5, 'opts')
local delay = json_whole(5, 'opts', opts, 'delay', due_max)
local priority = json_whole(5, 'opts', opts, 'priority', 2097151)
local timestamp = now
if ARGV[6] ~= '' then
    timestamp = whole(6, 'timestamp', due_max)
end
if timestamp + delay > due_max then
    refuse(5, 'opts', 'has a delay that is too large')
end
local flow_is = whole(8, 'flow', 3)
local waits, more = flow_is % 2 == 1, flow_is > 1

local dedup = opts.de
if dedup == cjson.null then
    dedup = nil
end
local claim, ttl
if dedup then
    if type(dedup) ~= 'table' or type(dedup.id) ~= 'string' or dedup.id == ''
    then
        refuse(5, 'opts', 'has a de without an id')
    end
    ttl = json_whole(5, 'opts', dedup, 'ttl', due_max)
    -- an owner that is active for longer must not lose the id
    if dedup.keepLastIfActive == true then
        ttl = 0
    end
    claim = base .. 'de:' .. dedup.id
end

local parent, parent_key
if ARGV[7] ~= '' then
    parent = json_object(7, 'parent')
    if dedup then
        refuse(7, 'parent', 'and de in opts exclude each other')
    end
    if type(parent.id) ~= 'string' or type(parent.queueKey) ~= 'string' then
        refuse(7, 'parent', 'must have an id and a queueKey')
    end
    parent_key = parent.queueKey .. ':' .. parent.id
    if not flows().writable(parent_key, parent.queueKey .. ':') then
        return -12
    end
    if call('EXISTS', parent_key) == 0 then
        return -5
    end
end

-- reads
place_check()
call('ZCARD', base .. 'waiting-children')
call('LLEN', base .. 'active')
local owner
if claim then
    owner = call('GET', claim)
    call('HLEN', base .. 'dn:' .. dedup.id)
end
local there = id ~= '' and call('EXISTS', base .. id) == 1
local old
if not there and owner and dedup.replace == true
    and call('ZSCORE', base .. 'delayed', owner)
then
    local code
    old, code = removal_of(base, owner)
    if not old then
        return code == -12 and -12 or {'deduplicated', owner}
    end
end
--@include events_max

local counter = ('%.0f'):format(call('INCR', base .. 'id'))
if id == '' then
    id = counter
    there = call('EXISTS', base .. id) == 1
end
local key = base .. id

-- A child that is over already is so for this parent, too.
local function adopt()
    local completed = call('ZSCORE', base .. 'completed', id)
    local failed = call('ZSCORE', base .. 'failed', id)
    call('HSET', key, 'parentKey', parent_key, 'parent', ARGV[7])
    call('SADD', parent_key .. ':dependencies', key)
    local family = flows().parent(key)
    if completed then
        flows().done(family, key, call('HGET', key, 'returnvalue') or 'null',
                     more)
    elseif failed then
        flows().failed(family, key, call('HGET', key, 'failedReason') or '',
                       more)
    end
end

if there then
    if parent then
        local other = call('HGET', key, 'parentKey')
        if other and other ~= parent_key
            and redis.pcall('EXISTS', other) ~= 0
        then
            return -7
        end
        adopt()
    end
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'duplicated',
         'jobId', id)
    return {'duplicate', id}
end

--@include deduplicated

-- the new job is kept for the time after the owner
local function keep()
    local kept = base .. 'dn:' .. dedup.id
    call('DEL', kept)
    call('HSET', kept, 'name', name, 'data', data, 'opts', ARGV[5], 'jid', id)
    if ARGV[9] ~= '' then
        call('HSET', kept, 'rjk', ARGV[9])
    end
    call('PERSIST', claim)
end

local function reschedule()
    local due = now + delay
    call('HSET', base .. owner, 'delay', ('%.0f'):format(delay))
    put_delayed(owner, due)
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'delayed',
         'jobId', owner, 'delay', ('%.0f'):format(due))
    mark_delayed()
end

if old then
    -- its claim goes on, with its time
    old.dedup = nil
    call('ZREM', base .. 'delayed', owner)
    removal_done(old)
    removal_end()
    call('XADD', events, '*', 'event', 'removed', 'jobId', owner, 'prev',
         'delayed')
    tell_deduplicated(id, dedup.id, owner)
    call('DEL', base .. 'dn:' .. dedup.id)
    if ttl > 0 and dedup.extend == true then
        call('SET', claim, id, 'PX', ('%.0f'):format(ttl))
    else
        call('SET', claim, id, 'KEEPTTL')
    end
elseif owner and not (call('PTTL', claim) == -1
                      and call('EXISTS', base .. owner) == 0)
then
    if ttl > 0 and dedup.extend == true then
        call('SET', claim, owner, 'PX', ('%.0f'):format(ttl))
    end
    if dedup.keepLastIfActive == true
        and call('LPOS', base .. 'active', owner)
    then
        keep()
    end
    -- as stock: with replace it is silent
    if dedup.replace ~= true then
        tell_deduplicated(owner, dedup.id, id)
    end
    if dedup.reschedule == true and call('ZSCORE', base .. 'delayed', owner)
    then
        reschedule()
    end
    return {'deduplicated', owner}
elseif claim then
    if ttl > 0 then
        call('SET', claim, id, 'PX', ('%.0f'):format(ttl))
    else
        call('SET', claim, id)
    end
end

local fields = {'name', name, 'data', data, 'opts', ARGV[5], 'timestamp',
                ('%.0f'):format(timestamp), 'delay', ('%.0f'):format(delay),
                'priority', ('%.0f'):format(priority)}
local function field(text, value)
    fields[#fields + 1] = text
    fields[#fields + 1] = value
end
if parent then
    field('parentKey', parent_key)
    field('parent', ARGV[7])
end
if ARGV[9] ~= '' then
    field('rjk', ARGV[9])
end
if dedup then
    field('deid', dedup.id)
end

if waits then
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    call('HSET', key, unpack(fields))
    call('ZADD', base .. 'waiting-children', ('%.0f'):format(timestamp), id)
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
         'waiting-children', 'jobId', id)
else
    place(id, fields, delay > 0 and timestamp + delay or nil, priority,
          opts.lifo == true)
end
if parent then
    call('SADD', parent_key .. ':dependencies', key)
end
return {'added', id}
