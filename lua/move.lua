-- Brings all jobs of a set back to the line, some of them in each call: "retry
-- all" and "promote all".
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "failed", "completed" or "delayed"
-- ARGV[3]  1 forgets the attempts made and started, as in requeue.lua
-- ARGV[4]  those that were finished up to this ms, so that a job which fails
--          again meanwhile is not brought back twice; '' any, as with "delayed"
-- ARGV[5]  how many that were left in the set by the calls before
-- ARGV[6]  count, 1 to 1000
--
-- Returns { looked at, moved, left }: those left have a parent whose keys cannot
-- be written.  The last call is the one that looks at fewer than `count`.

--@include queue
--@include put_back

if #ARGV ~= 6 then
    error('6 arguments', 0)
end
local set, reset = put_back_arguments(2)
local upto = '+inf'
if ARGV[4] ~= '' then
    if set == 'delayed' then
        refuse(4, 'upto', 'must be empty with delayed')
    end
    upto = ('%.0f'):format(whole(4, 'upto'))
end
whole(5, 'left')
if whole(6, 'count', 1000) < 1 then
    refuse(6, 'count', 'must be at least 1')
end

local ids = call('ZRANGEBYSCORE', base .. set, '-inf', upto, 'LIMIT', ARGV[5],
                 ARGV[6])
if not ids[1] then
    return {0, 0, 0}
end
local had = call('ZCARD', base .. set)
local codes, moved = put_back(set, ids, reset), 0
for i = 1, #ids do
    if codes[i] == 1 then
        moved = moved + 1
    end
end
return {#ids, moved, #ids - had + call('ZCARD', base .. set)}
