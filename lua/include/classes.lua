-- Takes within the limits: the floor of the lowest class first, then by class,
-- high to low, each as far as its bucket goes.  Returns the ms until a class
-- whose bucket holds jobs back has room again, nil when there is none.
local function take_classes()
    local line = base .. 'prioritized'
    local ranges = {medium = {'-inf', '(' .. ('%.0f'):format(low_min)},
                    low = {('%.0f'):format(low_min), '+inf'}}

    local function take_class(name, n)
        local bucket = buckets and buckets[name]
        local before, range = counted, ranges[name]
        most = math.min(room, taken + n, taken + (bucket and bucket.left or n))
        if most > taken then
            if name == 'high' then
                take_wait()
            else
                take_sorted(range and range[1], range and range[2])
            end
        end
        if buckets then
            local more = counted - before
            for _, key in ipairs({name, 'rate', 'quota'}) do
                if buckets[key] then
                    buckets[key].used = buckets[key].used + more
                    buckets[key].left = buckets[key].left - more
                end
            end
        end
    end

    if limits.floor > 0 then
        local last = call('ZREVRANGE', line, '0', '0', 'WITHSCORES')[2]
        if last then
            take_class(tonumber(last) < low_min and 'medium' or 'low',
                       limits.floor)
        end
    end
    take_class('high', room)
    if not (buckets and (buckets.medium or buckets.low)) then
        take_class('any', room)
        if not buckets then
            return nil
        end
    else
        take_class('medium', room)
        take_class('low', room)
        if taken < room and call('ZCARD', line) == 0 then
            call('DEL', base .. 'pc')
        end
    end

    charge(buckets)
    local wait
    for _, name in ipairs({'high', 'medium', 'low'}) do
        local bucket, range = buckets[name], ranges[name]
        if bucket and bucket.left <= 0
            and (range and call('ZCOUNT', line, range[1], range[2])
                 or call('LLEN', base .. 'wait')) > 0
        then
            wait = math.min(wait or math.huge, wait_for(bucket))
        end
    end
    return wait
end
