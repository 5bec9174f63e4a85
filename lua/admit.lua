-- May these messages be sent now?  Once each, at their sender's pace, and at that
-- at which it may write to one recipient.
--
-- KEYS     for each message: its job, its claim, the pace of its sender and that
--          of the pair (the claim again when there is none)
-- ARGV     for each message:
--   token      of this attempt; no space in it
--   ttl        of the claim, ms
--   horizon    ms: nobody is told to wait longer, 0 no bound
--   sender     and recipient, as they stand at the end of the paces' keys
--   recipient  "<prefix>::sluice:pace:<sender>" and "...:<sender>:<recipient>"
--   interval   µs between two messages of the sender, 0 no pace
--   tolerance  µs by which a burst may run ahead
--   pair       µs between two messages of the pair, 0 no pace
--   borrow     messages of the pair that may go within one such time, when as many
--              of them are then left out; 0 or 1 no more than one
--
-- Returns for each message { verdict, value }:
--   "go"     it is claimed, send it; value ''
--   "again"  the same, but the attempt with the token value had claimed it and
--            left no result: it may have been sent
--   "done"   value is the result
--   "wait"   for value ms; nothing is claimed or charged.  The job's fields sndr
--            and rcpt say for whom it waits: take.lua does not take it before
--            its turn; and after a delay of value (retry.lua) it is first in its
--            line
--
-- A claim is a string:
--   "turn <µs>[,<µs>][ <token>]"  its places in line [claimed by token before]
--   "open <token>"                about to be sent
--   anything else                 the result (finish.lua)
-- Paces and places: see include/pace.lua.

local call = redis.call
local n = #KEYS / 4
if n < 1 or n > 1000 or n % 1 ~= 0 or #ARGV ~= 9 * n then
    error('4 keys and 9 arguments a message, 1 to 1000 messages', 0)
end

--@include arguments
--@include pace

-- µs of the longest interval, tolerance and horizon: a year
local year = 31622400000000

-- those of one queue mostly say the same as the one before
local function checked(p, name, high)
    if ARGV[p] ~= ARGV[p - 9] then
        whole(p, name, high)
    end
end

for i = 1, n do
    local p, k = 9 * i - 8, 4 * i - 3
    if ARGV[p] ~= ARGV[p - 9]
        and (ARGV[p] == '' or ARGV[p]:find(' ', 1, true))
    then
        refuse(p, 'token', 'must not be empty or hold a space')
    end
    checked(p + 1, 'ttl', year)
    if tonumber(ARGV[p + 1]) < 1 then
        refuse(p + 1, 'ttl', 'must be at least 1')
    end
    checked(p + 2, 'horizon', year / 1000)
    checked(p + 5, 'interval', year)
    if ARGV[p + 5] ~= '0' and KEYS[k + 2] == KEYS[k + 1] then
        refuse(p + 5, 'interval', 'needs the key of a pace')
    end
    checked(p + 6, 'tolerance', year)
    checked(p + 7, 'pair', year)
    if ARGV[p + 7] ~= '0' and KEYS[k + 3] == KEYS[k + 1] then
        refuse(p + 7, 'pair', 'needs the key of a pace')
    end
    checked(p + 8, 'borrow', 1000)
end

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- reads; of a key that comes twice the second sees what the first did
local claims, paces = {}, {}
local function read(key, asked)
    if asked ~= '0' and not paces[key] then
        paces[key] = pace_read(key) or error(key .. ' is of a wrong type', 0)
    end
end
for i = 1, n do
    local p, k = 9 * i - 8, 4 * i - 3
    if claims[KEYS[k + 1]] == nil then
        claims[KEYS[k + 1]] = call('GET', KEYS[k + 1])
    end
    read(KEYS[k + 2], ARGV[p + 5])
    read(KEYS[k + 3], ARGV[p + 7])
end

local result = {}
for i = 1, n do
    local p, k = 9 * i - 8, 4 * i - 3
    local claim = KEYS[k + 1]
    local turns, before = pace_claim(claims[claim])

    if not turns then
        result[i] = {'done', claims[claim]}
    else
        local number, pair
        if ARGV[p + 5] ~= '0' then
            number = paces[KEYS[k + 2]]
            pace_rate(number, ARGV[p + 5], ARGV[p + 6], ARGV[p + 2], '0')
        end
        if ARGV[p + 7] ~= '0' then
            pair = paces[KEYS[k + 3]]
            pace_rate(pair, ARGV[p + 7], '0', ARGV[p + 2], ARGV[p + 8])
        end
        local due = pace_both(now, number, pair, turns)
        if not due then
            claims[claim] = 'open ' .. ARGV[p]
            call('SET', claim, claims[claim], 'PX', ARGV[p + 1])
            if before ~= '' then
                result[i] = {'again', before}
            else
                result[i] = {'go', ''}
            end
        else
            local wait = math.ceil((due - now) / 1000)
            if turns.number or turns.pair then
                -- a place outlives its turn by a minute, and must not shorten
                -- the life of a claim
                local life = wait + 60000
                if before ~= '' then
                    life = math.max(life, tonumber(ARGV[p + 1]))
                end
                claims[claim] = pace_turn(turns, before)
                call('SET', claim, claims[claim], 'PX', ('%.0f'):format(life))
            end
            if call('EXISTS', KEYS[k]) == 1 then
                -- a delay of `off` puts it off: see include/promote.lua
                local fields = {'off', wait, 'sndr', ARGV[p + 3]}
                if pair then
                    fields[5], fields[6] = 'rcpt', ARGV[p + 4]
                end
                redis.pcall('HSET', KEYS[k], unpack(fields))
            end
            result[i] = {'wait', wait}
        end
    end
end

for _, pace in pairs(paces) do
    if pace.used then
        pace_write(now, pace, true)
    end
end

return result
