-- Whose jobs are these?  at[i] is where in ARGV the id of job i stands, its
-- token behind it.

-- Returns a code a job (0, -1, -2, -6) and, but for -1, its fields ats, name,
-- parentKey, deid, atm and gk; and the keys of the locks.
local function owned(at)
    local codes, jobs, locks = {}, {}, {}
    local n = #at
    if n == 0 then
        return codes, jobs, locks
    end
    for i = 1, n do
        locks[i] = base .. ARGV[at[i]] .. ':lock'
    end
    local owners = call('MGET', unpack(locks))
    for i = 1, n do
        local q = at[i]
        local key = base .. ARGV[q]
        local job = redis.pcall('HMGET', key, 'ats', 'name', 'parentKey',
                                'deid', 'atm', 'gk')
        if job.err or not (job[1] or call('EXISTS', key) == 1) then
            codes[i] = -1
        else
            jobs[i] = job
            local token = ARGV[q + 1]
            if owners[i] == token or token == '0' then
                codes[i] = 0
            else
                codes[i] = owners[i] and -6 or -2
            end
        end
    end
    return codes, jobs, locks
end

-- Takes the jobs with code 0 out of `active`; code -3 when one is not there.
-- Returns how many were.
local function end_leases(at, codes, locks)
    local ids, ended, free = {}, 0, {}
    for i = 1, #at do
        if codes[i] == 0 then
            local q = at[i]
            ids[#ids + 1] = ARGV[q]
            if ARGV[q + 1] ~= '0' then
                free[#free + 1] = locks[i]
            end
        end
    end
    if not ids[1] then
        return 0
    end
    call('SREM', base .. 'stalled', unpack(ids))
    local active = base .. 'active'
    for i = 1, #at do
        if codes[i] == 0 then
            if call('LREM', active, '-1', ARGV[at[i]]) == 0 then
                codes[i] = -3
            else
                ended = ended + 1
            end
        end
    end
    if free[1] then
        call('DEL', unpack(free))
    end
    return ended
end
