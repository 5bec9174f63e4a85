-- The list that a waiting job is pushed to.  BullMQ 5 moves `wait` to `paused`
-- and back by RENAME: what somebody puts into the other one meanwhile is lost.
-- BullMQ 6 leaves ids in `wait`, and merges a `paused` list that it finds.
local function waiting_list()
    if not paused then
        return base .. 'wait'
    end
    if ARGV[1] == '5' or call('EXISTS', base .. 'paused') == 1 then
        return base .. 'paused'
    end
    local version = call('HGET', base .. 'meta', 'version')
    if version and version:find('^bullmq:[45]%.')
        and call('EXISTS', base .. 'wait') == 0
    then
        return base .. 'paused'
    end
    return base .. 'wait'
end
