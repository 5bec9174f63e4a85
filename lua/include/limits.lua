-- The limits of take.lua, as words: "floor:N", "paces:MS",
-- "NAME:INTERVAL:TOLERANCE".  Returns { floor, soon, buckets }; buckets by name,
-- nil when there are none, each {key, interval, tolerance} in µs.
local function limits_of(i, text)
    local prefix, queue = base:match('^(.+):([^:]+):$')
    if not prefix then
        error('KEYS[1] must be "<prefix>:<queue>:"', 0)
    end
    local own = prefix .. '::sluice:'
    local keys = {rate = own .. 'rate', quota = own .. 'quota'}
    for _, class in ipairs({'high', 'medium', 'low'}) do
        keys[class] = own .. 'rate:' .. queue .. ':' .. class
    end

    local limits = {floor = 0}
    for word in text:gmatch('%S+') do
        local name, a, b = word:match('^(%l+):(%d+):?(%d*)$')
        if not name or #a > 15 or #b > 15 then
            refuse(i, 'limits', 'has a word that is not "name:number:number"')
        end
        a, b = tonumber(a), tonumber(b)
        if name == 'floor' and not b then
            limits.floor = a
        elseif name == 'paces' and not b then
            limits.soon = a
        elseif keys[name] and b and a > 0 then
            limits.buckets = limits.buckets or {}
            limits.buckets[name] = {key = keys[name], interval = a,
                                    tolerance = b}
        else
            refuse(i, 'limits', 'has an unknown word, or an interval of 0')
        end
    end
    return limits
end
