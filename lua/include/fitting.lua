-- How many jobs of a set a budget of bytes holds.  What a job takes is the mean
-- of some drawn from the set at each call, those of the last thousand draws
-- remembered in `sluice:bytes`: nothing is added up, so whoever adds or removes
-- jobs, it comes right by itself.
local function fitting(set, budget)
    local key, memory = base .. 'sluice:bytes', nil
    local had = call('HMGET', key, set .. ':draws', set .. ':bytes')
    local draws, bytes = tonumber(had[1]) or 0, tonumber(had[2]) or 0
    local ids = call('ZRANDMEMBER', base .. set, draws < 64 and 64 or 4)
    for i = 1, #ids do
        memory = call('MEMORY', 'USAGE', base .. ids[i], 'SAMPLES', '0')
        draws, bytes = draws + 1, bytes + (memory or 0)
    end
    if draws > 1000 then
        draws, bytes = 1000, bytes * 1000 / draws
    end
    call('HSET', key, set .. ':draws', draws, set .. ':bytes',
         ('%.0f'):format(bytes))
    -- a day after the last job that was finished
    call('PEXPIRE', key, '86400000')
    -- 100: its place in the set
    return math.max(1, math.floor(budget / (bytes / draws + 100)))
end
