-- BullMQ's deduplication with a ttl: the string `de:<key>` holds the id of the
-- job that came first.

-- A key is claimed before the first event of its job: were the events of a
-- wrong type, it would be held for a job that is not there.
call('XLEN', events)

--@include deduplicated

-- ARGV[i] "ttl:key"; reads the key, which fails here when its type is wrong
local function unique_argument(i)
    local ttl, key = ARGV[i]:match('^(%d+):(.+)$')
    ttl = tonumber(ttl)
    if not ttl or ttl < 1 or ttl > due_max then
        refuse(i, 'dedupe', 'must be "ttl:key", the ttl in ms and not 0')
    end
    call('GET', base .. 'de:' .. key)
    return {key = key, ttl = ('%.0f'):format(ttl)}
end

-- Is the job `id` the first?  Else one.owner is.  A key without a ttl holds
-- until its job is over, so one whose job is gone holds nothing.
local function unique_claim(one, id)
    local name = base .. 'de:' .. one.key
    local owner = call('GET', name)
    if not owner or (call('PTTL', name) == -1
                     and call('EXISTS', base .. owner) == 0)
    then
        call('SET', name, id, 'PX', one.ttl)
        return true
    end
    one.owner = owner
    tell_deduplicated(owner, one.key, id)
    return false
end
