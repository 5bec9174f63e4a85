-- The sets `completed` and `failed`: what goes in, and what is removed to keep
-- to a rule and to a budget of bytes, at most 1000 jobs a call and rule.

--@include flows
--@include doomed

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

-- Puts ids into a set, after one another under the same rule.  A child that is
-- removed is no longer waited for; one whose parent cannot be written stays.
local function put_finished(set, ids, size, budget)
    local key, rule = base .. set, ids.rule
    size = size + call('ZADD', key, unpack(ids))
    local most = rule.count
    if budget > 0 then
        --@include fitting
        local fit = fitting(set, budget)
        most = most > 0 and math.min(most, fit) or fit
    end

    for pass = 1, 2 do
        local old
        if pass == 1 and rule.age > 0 then
            old = call('ZRANGEBYSCORE', key, '-inf', now - rule.age * 1000,
                       'LIMIT', '0', rule.limit)
        elseif pass == 2 and most > 0 and size > most then
            local over = size - most
            old = call('ZRANGE', key, '0', (over < 1000 and over or 1000) - 1)
        end
        if old and old[1] then
            local gone = {}
            for i = 1, #old do
                local job = base .. old[i]
                local parent = redis.pcall('HGET', job, 'parentKey')
                if type(parent) ~= 'string' then
                    parent = nil
                else
                    parent = flows().parent(job)
                    if parent then
                        flows().gone(parent, job)
                    end
                end
                if parent ~= false then
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
