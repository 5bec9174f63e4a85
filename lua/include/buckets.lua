-- Buckets, by the arithmetic of core/gcra.c: each a string, its tat in µs.

-- Reads them; returns how many jobs may start by all of them and, when that is
-- less than `room`, by which one it is.
local function buckets_read(buckets, room)
    local clock, names, keys = now * 1000, {}, {}
    for name, bucket in pairs(buckets) do
        names[#names + 1], keys[#names + 1] = name, bucket.key
    end
    local values = call('MGET', unpack(keys))
    for i = 1, #names do
        local bucket = buckets[names[i]]
        -- a clock set back, a slower rate before: no more than can be explained
        bucket.furthest = clock + bucket.tolerance + bucket.interval
        bucket.tat = math.max(clock, math.min(tonumber(values[i]) or 0,
                                              bucket.furthest))
        bucket.left = math.floor((bucket.furthest - bucket.tat)
                                 / bucket.interval)
        bucket.used = 0
    end
    local by
    for _, name in ipairs({'rate', 'quota'}) do
        if buckets[name] and buckets[name].left < room then
            room, by = buckets[name].left, buckets[name]
        end
    end
    return room, by
end

-- ms until the next job may start
local function bucket_wait(bucket)
    return math.max(1, math.ceil((bucket.tat + bucket.interval
                                  - bucket.furthest) / 1000))
end

-- `used` jobs of each were started
local function buckets_charge(buckets)
    for _, bucket in pairs(buckets) do
        if bucket.used > 0 then
            bucket.tat = bucket.tat + bucket.used * bucket.interval
            call('SET', bucket.key, ('%.0f'):format(bucket.tat), 'PX',
                 ('%.0f'):format(math.ceil(bucket.tat / 1000) - now + 1))
        end
    end
end
