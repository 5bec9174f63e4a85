-- The sets `completed` and `failed`: what goes in, and what is removed to keep
-- to a rule, at most 1000 jobs a call and rule.

-- ARGV[i] "count:age[:limit]", parsed once
local keep_rules = {}
local function keep_rule(i)
    local text = ARGV[i]
    local rule = keep_rules[text]
    if not rule then
        local count, age, limit = text:match('^(%-?%d+):(%d+):?(%d*)$')
        count = tonumber(count)
        if not count or count < -1 then
            refuse(i, 'keep', 'must be "count:age" or "count:age:limit"')
        end
        limit = tonumber(limit) or 1000
        rule = {count = count, age = tonumber(age),
                limit = limit < 1000 and limit or 1000}
        keep_rules[text] = rule
    end
    return rule
end

local doomed, ndoomed = {}, 0
local function remove_job(key)
    local n = ndoomed
    doomed[n + 1] = key
    doomed[n + 2] = key .. ':logs'
    doomed[n + 3] = key .. ':dependencies'
    doomed[n + 4] = key .. ':processed'
    doomed[n + 5] = key .. ':failed'
    doomed[n + 6] = key .. ':unsuccessful'
    ndoomed = n + 6
    if ndoomed > 900 then
        call('DEL', unpack(doomed))
        doomed, ndoomed = {}, 0
    end
end

-- Puts ids into a set, after one another under the same rule.  A child that its
-- parent still waits for stays: to take it away would release the parent, a
-- step that is not built.
local function put_finished(set, ids, size)
    local key, rule = base .. set, ids.rule
    size = size + call('ZADD', key, unpack(ids))

    for pass = 1, 2 do
        local old
        if pass == 1 and rule.age > 0 then
            old = call('ZRANGEBYSCORE', key, '-inf', now - rule.age * 1000,
                       'LIMIT', '0', rule.limit)
        elseif pass == 2 and rule.count > 0 and size > rule.count then
            local over = size - rule.count
            old = call('ZRANGE', key, '0', (over < 1000 and over or 1000) - 1)
        end
        if old and old[1] then
            local gone = {}
            for i = 1, #old do
                local job = base .. old[i]
                local parent = redis.pcall('HGET', job, 'parentKey')
                if type(parent) ~= 'string'
                    or redis.pcall('SISMEMBER', parent .. ':dependencies',
                                   job) ~= 1
                then
                    gone[#gone + 1] = old[i]
                    remove_job(job)
                end
            end
            if gone[1] then
                size = size - call('ZREM', key, unpack(gone))
            end
        end
    end
    return size
end
