-- Adds one job: its hash, its events and its place.

--@include due
--@include waiting_list
--@include mark_waiting
--@include delayed
--@include prioritized

-- before the first write: what is written at the end, of a wrong type, fails
local function place_check()
    call('LLEN', waiting_list())
    call('ZCARD', base .. 'delayed')
    call('ZCARD', base .. 'marker')
    call('XLEN', events)
    check_prioritized()
    if not tonumber(call('GET', base .. 'id') or 0) then
        error(base .. 'id is not an integer', 0)
    end
end

-- fields are those of its hash, the first two its name; due is when it is later
-- than now, in ms, or nil.
local function place(id, fields, due, priority, lifo)
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', fields[2])
    call('HSET', base .. id, unpack(fields))
    --@include events_max
    if due then
        put_delayed(id, due)
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'delayed', 'jobId', id, 'delay', ('%.0f'):format(due))
        mark_delayed()
        return
    end
    if priority > 0 then
        put_prioritized({id}, {priority})
    else
        call(lifo and 'RPUSH' or 'LPUSH', waiting_list(), id)
    end
    mark_waiting()
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event', 'waiting',
         'jobId', id)
end

-- ARGV[i], the text of a JSON object, as a table
local function json_object(i, name)
    local ok, object = pcall(cjson.decode, ARGV[i])
    if not ok or type(object) ~= 'table' or ARGV[i]:byte() ~= 123 then
        refuse(i, name, 'must be a JSON object')
    end
    return object
end

-- a whole number of the JSON object ARGV[i]; 0 when it is not there
local function json_whole(i, name, object, field, high)
    local value = object[field]
    if value == nil or value == cjson.null then
        return 0
    end
    if type(value) ~= 'number' or value < 0 or value > high or value % 1 ~= 0
    then
        refuse(i, name, 'has a ' .. field .. ' that is not from 0 to '
               .. ('%.0f'):format(high))
    end
    return value
end
