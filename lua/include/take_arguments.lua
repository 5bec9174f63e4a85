-- Checks ARGV[3..7] of take.lua and finish.lua; returns max and duration.
local function take_arguments()
    if ARGV[3] == '' or ARGV[3] == '0' then
        refuse(3, 'token', 'must not be empty or 0')
    end
    if whole(4, 'lock', due_max) < 1 then
        refuse(4, 'lock', 'must be at least 1')
    end
    local max, duration
    if ARGV[6] ~= '' or ARGV[7] ~= '' then
        max, duration = whole(6, 'max'), whole(7, 'duration', due_max)
        if max < 1 or duration < 1 then
            refuse(6, 'max', 'and duration must be at least 1')
        end
    end
    return max, duration
end

-- ARGV[i], maybe: does the caller add the next iterations of job schedulers?
local function take_schedulers(i)
    if ARGV[i] and ARGV[i] ~= '1' and ARGV[i] ~= '0' then
        refuse(i, 'schedulers', 'must be 0 or 1 or not be there')
    end
    return ARGV[i] == '1'
end

-- ARGV[i], maybe: the limits, nil when there are none
local function take_limits(i)
    local text = ARGV[i]
    if not text or text == '' then
        return nil
    end
    --@include limits
    return limits_of(i, text)
end
