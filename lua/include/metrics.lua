-- BullMQ's metrics: jobs of a set in each minute, the newest first.

-- before the first write
local function metrics_check(set)
    local key = base .. 'metrics:' .. set
    call('LLEN', key .. ':data')
    if not tonumber(call('HGET', key, 'count') or 0) then
        error(key .. ' count is not an integer', 0)
    end
end

-- n jobs more; of at most `points` minutes the numbers are kept
local function metrics_count(set, n, points)
    local key = base .. 'metrics:' .. set
    local before = call('HINCRBY', key, 'count', n) - n
    local prev = call('HMGET', key, 'prevTS', 'prevCount')
    local since = tonumber(prev[1])
    if not since then
        call('HSET', key, 'prevTS', now_text, 'prevCount', '0')
        return
    end
    local minutes = math.floor(now / 60000) - math.floor(since / 60000)
    if minutes > points then
        minutes = points
    end
    if minutes < 1 then
        return
    end
    -- those of the last minute that had any, then minutes without
    call('LPUSH', key .. ':data',
         ('%.0f'):format(before - (tonumber(prev[2]) or 0)))
    for i = 2, minutes, 1000 do
        local zeros = {}
        for j = i, math.min(i + 999, minutes) do
            zeros[#zeros + 1] = '0'
        end
        call('LPUSH', key .. ':data', unpack(zeros))
    end
    call('LTRIM', key .. ':data', '0', points - 1)
    call('HSET', key, 'prevTS', now_text, 'prevCount',
         ('%.0f'):format(before))
end
