-- May these messages be sent now?  Once each, and at their sender's pace.
--
-- KEYS     for each message: its claim, and the pace of its sender (the claim
--          again when there is none)
-- ARGV     for each message:
--   token      of this attempt; no space in it
--   ttl        of the claim, ms
--   interval   µs between two messages of the sender, 0 no pace
--   tolerance  µs by which a burst may run ahead
--   horizon    ms: nobody is told to wait longer, 0 no bound
--
-- Returns for each message { verdict, value }:
--   "go"     it is claimed, send it; value ''
--   "again"  the same, but the attempt with the token value had claimed it and
--            left no result: it may have been sent
--   "done"   value is the result
--   "wait"   for value ms; nothing is claimed or charged
--
-- A claim is a string:
--   "turn <µs>[ <token>]"  its place in line [claimed by token before]
--   "open <token>"         about to be sent
--   anything else          the result (finish.lua)
--
-- A pace is a hash {tat, tail, shift, head}.  tat is that of core/gcra.c:
-- tolerance and one message may go at once.  When the bucket is empty the
-- message is given a place at tail, the end of the line, which moves on by one
-- interval: a backlog is delayed once each, each to its own moment.  While
-- there is a line, a message without a place does not overtake it.
--
-- Places are µs of the line's own clock, which is behind that of Redis by
-- shift.  When the first in line comes too late (nobody worked meanwhile) and
-- the bucket has no room for it, the sending that was lost is added to shift:
-- the whole line moves, and its order stays.  head is the last place that was
-- served; who comes from before it has the next token, and shifts nobody.
--
-- Who comes more than a minute after its turn has lost it; whose turn would be
-- beyond the horizon gets none and is told to come back then.

local call = redis.call
local n = #KEYS / 2
if n < 1 or n > 1000 or n % 1 ~= 0 or #ARGV ~= 5 * n then
    error('2 keys and 5 arguments a message, 1 to 1000 messages', 0)
end

--@include arguments

-- µs of the longest interval, tolerance and horizon: a year
local year = 31622400000000

for i = 1, n do
    local p = 5 * i - 4
    if ARGV[p] == '' or ARGV[p]:find(' ', 1, true) then
        refuse(p, 'token', 'must not be empty or hold a space')
    end
    if whole(p + 1, 'ttl', year) < 1 then
        refuse(p + 1, 'ttl', 'must be at least 1')
    end
    if whole(p + 2, 'interval', year) > 0 and KEYS[2 * i - 1] == KEYS[2 * i]
    then
        refuse(p + 2, 'interval', 'needs the key of a pace')
    end
    whole(p + 3, 'tolerance', year)
    whole(p + 4, 'horizon', year / 1000)
end

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- reads; of a key that comes twice the second sees what the first did
local claims, paces = {}, {}
for i = 1, n do
    local claim, pace = KEYS[2 * i - 1], KEYS[2 * i]
    if claims[claim] == nil then
        claims[claim] = call('GET', claim)
    end
    if ARGV[5 * i - 2] ~= '0' and not paces[pace] then
        local values = call('HMGET', pace, 'tat', 'tail', 'shift', 'head')
        paces[pace] = {tat = tonumber(values[1]) or 0,
                       tail = tonumber(values[2]) or 0,
                       shift = tonumber(values[3]) or 0,
                       head = tonumber(values[4]) or 0}
    end
end

-- Asks the pace.  Returns nil and charges it, or the moment to wait for and,
-- unless it is beyond the horizon, the message's place in line.
local function ask(pace, interval, tolerance, horizon, place)
    -- clock set back, or a slower pace before: no more than can be explained
    local furthest = now + tolerance + interval
    local tat = math.min(pace.tat, furthest)
    local charged = math.max(tat, now) + interval
    local token = math.max(now, charged - tolerance - interval)
    -- two intervals: the last turn given is before tail
    local line = pace.tail + pace.shift
    if horizon > 0 then
        line = math.min(line, now + horizon + interval)
    end
    pace.tat, pace.tail, pace.used = tat, line - pace.shift, true

    if place and place + pace.shift + 60000000 < now then
        place = nil
    end
    if place then
        local turn = place + pace.shift
        if turn > now and turn < line then
            return turn, place
        end
        if charged <= furthest then
            pace.tat = charged
            if turn < line then
                pace.head = math.max(pace.head, place)
            end
            return nil
        end
        if turn <= now then
            local first = math.max(place, pace.head + interval)
            pace.shift = math.max(pace.shift, token - first)
            return math.max(place + pace.shift, token), place
        end
    elseif charged <= furthest and line <= now then
        pace.tat = charged
        return nil
    end

    local due = math.max(line, token)
    if horizon > 0 and due > now + horizon then
        return now + horizon
    end
    place = due - pace.shift
    if line <= now then
        pace.head = math.max(pace.head, place - interval)
    end
    pace.tail = place + interval
    return due, place
end

local result = {}
for i = 1, n do
    local p = 5 * i - 4
    local claim, value = KEYS[2 * i - 1], claims[KEYS[2 * i - 1]]
    local place, before
    if value then
        before = value:match('^open (.+)$')
        if not before then
            place, before = value:match('^turn (%d+) ?(.*)$')
            place = tonumber(place)
        end
    end

    if value and not before then
        result[i] = {'done', value}
    else
        local interval = tonumber(ARGV[p + 2])
        local due
        if interval > 0 then
            due, place = ask(paces[KEYS[2 * i]], interval,
                             tonumber(ARGV[p + 3]), ARGV[p + 4] * 1000, place)
        end
        if not due then
            claims[claim] = 'open ' .. ARGV[p]
            call('SET', claim, claims[claim], 'PX', ARGV[p + 1])
            if before and before ~= '' then
                result[i] = {'again', before}
            else
                result[i] = {'go', ''}
            end
        else
            local wait = math.ceil((due - now) / 1000)
            if place then
                -- a place outlives its turn by a minute, and must not shorten
                -- the life of a claim
                local life = wait + 60000
                local text = ('turn %.0f'):format(place)
                if before and before ~= '' then
                    text = text .. ' ' .. before
                    life = math.max(life, tonumber(ARGV[p + 1]))
                end
                claims[claim] = text
                call('SET', claim, text, 'PX', ('%.0f'):format(life))
            end
            result[i] = {'wait', wait}
        end
    end
end

for key, pace in pairs(paces) do
    if pace.used then
        local last = math.max(pace.tat, pace.tail + pace.shift)
        call('HSET', key, 'tat', ('%.0f'):format(pace.tat), 'tail',
             ('%.0f'):format(pace.tail), 'shift',
             ('%.0f'):format(pace.shift), 'head', ('%.0f'):format(pace.head))
        call('PEXPIRE', key,
             ('%.0f'):format(math.max(1, math.ceil((last - now) / 1000) + 1)))
    end
end

return result
