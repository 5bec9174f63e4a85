-- Paces: who may go now, and when is the turn of who may not.  Times are µs; at
-- is now.
--
-- A pace is a hash {tat, tail, shift, head, from, rate}.  tat is that of
-- core/gcra.c: tolerance and one message may go at once.  When the bucket is empty
-- the message is given a place at tail, the end of the line, which moves on by one
-- interval: a backlog is delayed once each, each to its own moment.  While there is
-- a line, a message without a place does not overtake it.
--
-- With borrow, so many may go within the interval that begins at from, when the
-- bucket was full; then none until the bucket has made up for it.
--
-- Places are µs of the line's own clock, which is behind that of Redis by
-- shift.  When the first in line comes too late (nobody worked meanwhile) and
-- the bucket has no room for it, the sending that was lost is added to shift:
-- the whole line moves, and its order stays.  head is the last place that was
-- served; who comes from before it has the next token, and shifts nobody.
--
-- Who comes more than a minute after its turn has lost it; whose turn would be
-- beyond the horizon gets none and is told to come back then.
--
-- rate is what was asked last, "<interval> <tolerance> <horizon> <borrow>", for
-- take.lua, which is not told; horizon in ms.

-- nil when the key is of another type
local function pace_read(key)
    local values = redis.pcall('HMGET', key, 'tat', 'tail', 'shift', 'head',
                               'from', 'rate')
    if values.err then
        return nil
    end
    return {key = key, tat = tonumber(values[1]) or 0,
            tail = tonumber(values[2]) or 0,
            shift = tonumber(values[3]) or 0,
            head = tonumber(values[4]) or 0,
            from = tonumber(values[5]) or 0, rate = values[6]}
end

local function pace_rate(pace, interval, tolerance, horizon, borrow)
    pace.interval, pace.tolerance = interval, tolerance
    pace.horizon, pace.borrow = horizon * 1000, borrow
end

-- Asks the pace.  Returns nil and charges it, or the moment to wait for and,
-- unless it is beyond the horizon, the message's place in line.
local function pace_ask(at, pace, place)
    local interval, horizon = pace.interval, pace.horizon
    -- clock set back, or a slower pace before: no more than can be explained
    local furthest = at + pace.tolerance + interval
    local tat = math.min(pace.tat, math.max(furthest,
                                            at + pace.borrow * interval))
    local charged = math.max(tat, at) + interval
    local passes = charged <= furthest
                   or at < pace.from + interval
                      and charged <= pace.from + pace.borrow * interval
    local token = math.max(at, charged - pace.tolerance - interval)
    -- two intervals: the last turn given is before tail
    local line = pace.tail + pace.shift
    if horizon > 0 then
        line = math.min(line, at + horizon + interval)
    end
    pace.tail, pace.used = line - pace.shift, true
    pace.tat = tat

    local function go()
        if tat <= at then
            pace.from = at
        end
        pace.tat = charged
    end

    if place and place + pace.shift + 60000000 < at then
        place = nil
    end
    if place then
        local turn = place + pace.shift
        if turn > at and turn < line then
            return turn, place
        end
        if passes then
            go()
            if turn < line then
                pace.head = math.max(pace.head, place)
            end
            return nil
        end
        if turn <= at then
            local first = math.max(place, pace.head + interval)
            pace.shift = math.max(pace.shift, token - first)
            return math.max(place + pace.shift, token), place
        end
    elseif passes and line <= at then
        go()
        return nil
    end

    local due = math.max(line, token)
    if horizon > 0 and due > at + horizon then
        return at + horizon
    end
    place = due - pace.shift
    if line <= at then
        pace.head = math.max(pace.head, place - interval)
    end
    pace.tail = place + interval
    return due, place
end

-- Asks the paces of the pair and of the number, nil each when there is none: both
-- are charged or none.  Returns nil, or the moment to wait for.  The message's
-- places in their lines are in turns.
local function pace_both(at, number, pair, turns)
    local due, place
    local tat, from, head = pair and pair.tat, pair and pair.from,
                            pair and pair.head
    if pair then
        due, place = pace_ask(at, pair, turns.pair)
        if due then
            turns.pair = place
            return due
        end
    end
    if number then
        due, place = pace_ask(at, number, turns.number)
        if due then
            turns.number = place
            if pair then
                pair.tat, pair.from, pair.head = tat, from, head
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
    local number, pair, before = value:match('^turn (%d*),?(%d*) ?(.*)$')
    if number then
        return {number = tonumber(number), pair = tonumber(pair)}, before
    end
end

local function pace_turn(turns, before)
    return 'turn ' .. (turns.number and ('%.0f'):format(turns.number) or '')
           .. (turns.pair and (',%.0f'):format(turns.pair) or '')
           .. (before ~= '' and ' ' .. before or '')
end

-- Writes what was asked; charged: the messages go, and not only will be asked again
local function pace_write(at, pace, charged)
    local last = math.max(pace.tat, pace.tail + pace.shift)
    local fields = {'tail', ('%.0f'):format(pace.tail), 'shift',
                    ('%.0f'):format(pace.shift), 'head',
                    ('%.0f'):format(pace.head)}
    if charged then
        local rate = ('%.0f %.0f %.0f %.0f'):format(
            pace.interval, pace.tolerance, pace.horizon / 1000, pace.borrow)
        fields[7], fields[8] = 'tat', ('%.0f'):format(pace.tat)
        if pace.borrow > 0 then
            fields[9], fields[10] = 'from', ('%.0f'):format(pace.from)
        end
        if rate ~= pace.rate then
            fields[#fields + 1], fields[#fields + 2] = 'rate', rate
        end
    end
    call('HSET', pace.key, unpack(fields))
    call('PEXPIRE', pace.key,
         ('%.0f'):format(math.max(1, math.ceil((last - at) / 1000) + 1)))
end
