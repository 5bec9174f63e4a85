-- Paces: who may go now, and when is the turn of who may not.  Times are µs; at
-- is now.
--
-- A pace is a hash {tat, tail, late, from, rate}.  tat is that of core/gcra.c:
-- tolerance and one message may go at once.  When the bucket is empty the message
-- is given a place at tail, the end of the line, which moves on by one interval: a
-- backlog is delayed once each, each to its own moment.  While there is a line, a
-- message without a place does not overtake it.
--
-- With borrow, so many may go within the interval that begins at from, when the
-- bucket was full; then none until the bucket has made up for it.
--
-- Whose turn came when the bucket had nothing for it (nobody worked for a while, a
-- slower rate) gets a place at late, the end of a second line, of those that are
-- late: negative, and each its own again, or all of them would come at once, again
-- and again.  While there is such a line, it goes first: whose turn comes in the
-- other one goes behind it.  A token before the next one's turn is still its own: it
-- waits for that in its place.
--
-- A line of which nobody came for so long, or that is of a time before the clock
-- was set back, is forgotten: its messages were removed, or come as they like.
-- Whose turn would be beyond the horizon gets none and is told to come back then.
--
-- rate is what was asked last, "<interval> <tolerance> <horizon> <borrow>", for
-- take.lua, which is not told; horizon in ms.

local pace_patience = 15000000

-- nil when the key is of another type
local function pace_read(key)
    local values = redis.pcall('HMGET', key, 'tat', 'tail', 'late', 'from',
                               'rate')
    if values.err then
        return nil
    end
    local tail, late = tonumber(values[2]) or 0, tonumber(values[3]) or 0
    return {key = key, tat = tonumber(values[1]) or 0, tail = tail, late = late,
            from = tonumber(values[4]) or 0, rate = values[5],
            old_tail = tail, old_late = late}
end

-- what is asked of it, as texts
local function pace_rate(pace, interval, tolerance, horizon, borrow)
    pace.interval, pace.tolerance = tonumber(interval), tonumber(tolerance)
    pace.horizon, pace.borrow = tonumber(horizon) * 1000, tonumber(borrow)
    pace.asked = interval .. ' ' .. tolerance .. ' ' .. horizon .. ' ' .. borrow
end

-- what can be explained of its tat and its lines
local function pace_explain(at, pace)
    local interval, horizon = pace.interval, pace.horizon
    -- clock set back, or a slower pace before
    local most = at + math.max(pace.tolerance + interval,
                               pace.borrow * interval)
    if pace.tat > most or pace.tat + pace_patience < at then
        -- at: whoever comes next finds its own line
        pace.tat = math.min(most, math.max(pace.tat, at))
        pace.cut, pace.tail, pace.late = pace.tat, 0, 0
    end
    if pace.from > at then
        pace.from = 0
    end
    if horizon > 0 then
        -- two intervals: the last turn given is before the end
        local last = at + horizon + interval
        pace.tail = math.min(pace.tail, last)
        pace.late = math.min(pace.late, last)
    end
    pace.used = true
end

-- Asks the pace.  Returns nil and charges it, or the moment to wait for and,
-- unless it is beyond the horizon, the message's place in line.
local function pace_ask(at, pace, place)
    local interval, horizon = pace.interval, pace.horizon
    local line, turn = math.max(pace.tail, pace.late), nil
    if place then
        turn = math.abs(place)
        if turn > at and turn < line then
            return turn, place
        end
        if turn > at then
            turn = nil
        end
    end

    local charged = math.max(pace.tat, at) + interval
    local passes = charged <= at + pace.tolerance + interval
                   or at < pace.from + interval
                      and charged <= pace.from + pace.borrow * interval
    -- the end of those before it
    local first = not turn and line or place > 0 and pace.late or 0
    if passes and first <= at then
        if pace.tat <= at then
            pace.from = at
        end
        pace.tat = charged
        return nil
    end

    local token = math.max(at, charged - pace.tolerance - interval)
    if turn and first <= at and token < turn + interval then
        -- the one before it came a little late
        return token, place
    end
    local due = math.max(turn and pace.late or line, token)
    if horizon > 0 and due > at + horizon then
        return at + horizon
    end
    if turn then
        pace.late = due + interval
        return due, -due
    end
    pace.tail = due + interval
    return due, due
end

-- Asks the paces of the pair and of the number, nil each when there is none: both
-- are charged or none.  Returns nil, or the moment to wait for.  The message's
-- places in their lines are in turns.
local function pace_both(at, number, pair, turns)
    local due, place, tat, from
    if pair then
        pace_explain(at, pair)
        tat, from = pair.tat, pair.from
        due, place = pace_ask(at, pair, turns.pair)
        if due then
            turns.pair = place
            return due
        end
    end
    if number then
        pace_explain(at, number)
        due, place = pace_ask(at, number, turns.number)
        if due then
            turns.number = place
            if pair then
                pair.tat, pair.from = tat, from
            end
        end
    end
    return due
end

-- "turn <µs of the number>[,<µs of the pair>][ <token>]": the places, and the
-- token of an attempt that had claimed it before; "open <token>".  Returns nil when
-- the claim is a result.
local function pace_claim(value)
    if not value then
        return {}, ''
    end
    local token = value:match('^open (.+)$')
    if token then
        return {}, token
    end
    local number, pair, before = value:match(
        '^turn (-?%d*),?(-?%d*) ?(.*)$')
    if number then
        return {number = tonumber(number), pair = tonumber(pair)}, before
    end
end

local function pace_turn(turns, before)
    return 'turn ' .. (turns.number and ('%.0f'):format(turns.number) or '')
           .. (turns.pair and (',%.0f'):format(turns.pair) or '')
           .. (before ~= '' and ' ' .. before or '')
end

local function pace_put(fields, name, value)
    local n = #fields
    fields[n + 1], fields[n + 2] = name, value
end

-- Writes what was asked; charged: the messages go, and not only will be asked
-- again.  What cannot be explained is pulled in all the same, or nobody would ever
-- come to be charged.
local function pace_write(at, pace, charged)
    local last = math.max(pace.tat, pace.tail, pace.late)
    local fields = {}
    -- most paces have no line
    if pace.tail ~= pace.old_tail then
        pace_put(fields, 'tail', ('%.0f'):format(pace.tail))
        pace.old_tail = pace.tail
    end
    if pace.late ~= pace.old_late then
        pace_put(fields, 'late', ('%.0f'):format(pace.late))
        pace.old_late = pace.late
    end
    if charged then
        pace_put(fields, 'tat', ('%.0f'):format(pace.tat))
        if pace.borrow > 0 then
            pace_put(fields, 'from', ('%.0f'):format(pace.from))
        end
        if pace.asked ~= pace.rate then
            pace_put(fields, 'rate', pace.asked)
        end
    elseif pace.cut then
        pace_put(fields, 'tat', ('%.0f'):format(pace.cut))
    end
    if fields[1] then
        call('HSET', pace.key, unpack(fields))
    end
    call('PEXPIRE', pace.key,
         ('%.0f'):format(math.max(1, math.ceil((last - at) / 1000) + 1)))
end
