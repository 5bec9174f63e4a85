-- The jobs below one in its flow, whatever queue they are in.

local children_max = 1000

-- Adds to `all`, which begins with the job itself, what removal_of() knows of
-- each.  Returns nil, or a code: 0 one of them is locked, -12 the keys of one
-- cannot be written, -13 there are too many.
local function children_of(all)
    local i = 1
    if not flows().writable(all[1].key, all[1].queue) then
        return -12
    end
    while all[i] do
        local key = all[i].key
        local more = call('SCARD', key .. ':dependencies')
                     + call('HLEN', key .. ':processed')
                     + call('HLEN', key .. ':failed')
                     + call('ZCARD', key .. ':unsuccessful')
        if #all + more > children_max then
            return -13
        end
        if more > 0 then
            local lists = {call('SMEMBERS', key .. ':dependencies'),
                           call('HKEYS', key .. ':processed'),
                           call('HKEYS', key .. ':failed'),
                           call('ZRANGE', key .. ':unsuccessful', '0', '-1')}
            for j = 1, 4 do
                for k = 1, #lists[j] do
                    local child = lists[j][k]
                    local queue, id = child:match('^(.*:)([^:]+)$')
                    if queue and not all[child] then
                        all[child] = true
                        if not flows().writable(child, queue) then
                            return -12
                        end
                        -- one that was removed already is only remembered
                        if call('EXISTS', child) == 1 then
                            if call('EXISTS', child .. ':lock') == 1 then
                                return 0
                            end
                            local one, code = removal_of(queue, id)
                            if not one then
                                return code
                            end
                            all[#all + 1] = one
                        end
                    end
                end
            end
        end
        i = i + 1
    end
end
