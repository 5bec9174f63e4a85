-- The zset `delayed`: score = due ms * 4096 + place among those of one ms.

--@include due
--@include next_due
--@include wake

local function put_delayed(id, due)
    local key = base .. 'delayed'
    local low = due * 4096
    local last = call('ZREVRANGEBYSCORE', key, low + 4095, low, 'WITHSCORES',
                      'LIMIT', '0', '1')[2]
    call('ZADD', key, last and math.min(last + 1, low + 4095) or low, id)
end

local function mark_delayed()
    local due = next_due()
    if due and call('ZADD', base .. 'marker', 'CH', due, '1') == 1 then
        wake(base)
    end
end
