-- Jobs whose fields say for whom they are (sndr, rcpt; admit.lua): those whose turn
-- is not soon go to `delayed` until then, and no attempt is used.  Nothing is
-- charged here, but in admit.lua, when the message goes: whoever takes a job and
-- dies has used nothing up.

--@include delayed
--@include pace

local pacing_own, pacing_queue = base:match('^(.+):([^:]+):$')
pacing_own = pacing_own .. '::sluice:'
local pacing_paces = {}

-- nil when there is none: the first of a sender is admitted by its worker
local function pacing_pace(name)
    local pace = pacing_paces[name]
    if pace == nil then
        pace = pace_read(pacing_own .. 'pace:' .. name)
        local interval, tolerance, horizon, borrow = (
            pace and pace.rate or ''):match('^(%d+) (%d+) (%d+) (%d+)$')
        if interval then
            pace_rate(pace, interval, tolerance, horizon, borrow)
        else
            pace = false
        end
        pacing_paces[name] = pace
    end
    return pace or nil
end

-- The moment of its turn, nil: now.
local function pacing_due(id, sender, recipient)
    local number = pacing_pace(sender)
    local pair = recipient and pacing_pace(sender .. ':' .. recipient)
    if not (number or pair) then
        return nil
    end
    local key = pacing_own .. 'claim:' .. pacing_queue .. ':' .. id
    local claim = redis.pcall('GET', key)
    if type(claim) == 'table' then
        return nil
    end
    local turns, before = pace_claim(claim)
    local due = turns and pace_both(now * 1000, number, pair, turns)
    if due and (turns.number or turns.pair) then
        local life = math.ceil(due / 1000) - now + 60000
        if before ~= '' then
            life = math.max(life, call('PTTL', key))
        end
        call('SET', key, pace_turn(turns, before), 'PX', ('%.0f'):format(life))
    end
    return due
end

-- Of jobs[from..to], as take.lua has them and with sndr and rcpt behind, those that
-- may start now, or within soon ms, are moved together.  Returns the last, and how
-- many were put off.
local function pacing_filter(jobs, from, to, soon)
    local n, waiting = from - 1, 0
    for i = from, to do
        local job = jobs[i]
        local due = job[15] and not job[11]
                    and pacing_due(job[1], job[15], job[16])
        jobs[i], job[15], job[16] = nil, nil, nil
        if due and due > (now + soon) * 1000 then
            waiting = waiting + 1
            put_off(job[1], math.ceil(due / 1000) - now)
        else
            n = n + 1
            jobs[n] = job
        end
    end
    for _, pace in pairs(pacing_paces) do
        if pace and pace.used then
            pace_write(now * 1000, pace, false)
            pace.used = false
        end
    end
    if waiting > 0 then
        mark_seen()
    end
    return n, waiting
end
