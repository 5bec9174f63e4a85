-- Raises an error when put_prioritized() could not do its work.
local function check_prioritized()
    call('ZCARD', base .. 'prioritized')
    if not tonumber(call('GET', base .. 'pc') or 0) then
        error(base .. 'pc is not an integer', 0)
    end
end

-- Puts ids into the zset `prioritized`, each behind those of its priority.
local function put_prioritized(ids, priorities)
    local n = #ids
    if n == 0 then
        return
    end
    local turn = call('INCRBY', base .. 'pc', n) - n
    local members = {}
    for i = 1, n do
        members[2 * i - 1] = priorities[i] * 4294967296
                             + (turn + i) % 4294967296
        members[2 * i] = ids[i]
    end
    call('ZADD', base .. 'prioritized', unpack(members))
end
