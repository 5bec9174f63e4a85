-- the due ms of the earliest delayed job, maybe with a fraction, or nil
local function next_due()
    local score = call('ZRANGE', base .. 'delayed', '0', '0', 'WITHSCORES')[2]
    return score and score / 4096
end
