-- The list that a waiting job is pushed to, of this queue or of another one.
-- BullMQ 5 moves `wait` to `paused` and back by RENAME: what somebody puts into
-- the other one meanwhile is lost.  BullMQ 6 leaves ids in `wait`, and merges a
-- `paused` list that it finds.
local function waiting_list(other, other_paused)
    local queue = other or base
    if not (other and other_paused or not other and paused) then
        return queue .. 'wait'
    end
    if ARGV[1] == '5' or call('EXISTS', queue .. 'paused') == 1 then
        return queue .. 'paused'
    end
    local version = call('HGET', queue .. 'meta', 'version')
    if version and version:find('^bullmq:[45]%.')
        and call('EXISTS', queue .. 'wait') == 0
    then
        return queue .. 'paused'
    end
    return queue .. 'wait'
end
