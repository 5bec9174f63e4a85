-- Removes jobs, whatever state they are in.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  1 also all jobs below them in their flows, at most 1000 a job; else 0:
--          those are left without their parent
-- ARGV[3]  only jobs of this set: "failed", "completed", "delayed",
--          "prioritized" or "waiting-children"; '' of any state
-- then 1 to 1000 ids
--
-- An id in a list costs a search through the list: a call ends when it has
-- looked through 100000 ids, or has removed 1000 jobs.
--
-- Returns one code an id, for as many ids as were looked at, one at least: the
-- caller repeats with the others.
--    1 removed            -1 there is no such job    -3 it is not in the set
--    0 it is locked, or a job below it is            -8 it is the next run of a
--      scheduler           -12 the keys of its parent or of a job below it
--      cannot be written  -13 more than 1000 jobs are below it

--@include queue
--@include removal

local n = #ARGV - 3
if n < 1 or n > 1000 then
    error('3 arguments and 1 to 1000 ids', 0)
end
local below, set = whole(2, 'children', 1) == 1, ARGV[3]
if set ~= '' and set ~= 'failed' and set ~= 'completed' and set ~= 'delayed'
    and set ~= 'prioritized' and set ~= 'waiting-children'
then
    refuse(3, 'set', 'must be a set of jobs or empty')
end
local children
if below then
    --@include children
    children = children_of
end

-- of a wrong type they fail here
for i = 1, #removal_states, 2 do
    call(removal_states[i + 1] == 'ZREM' and 'ZCARD' or 'LLEN',
         base .. removal_states[i])
end
call('XLEN', events)
--@include events_max

local codes, work, removed = {}, 0, 0
for i = 1, n do
    local id = ARGV[i + 3]
    local one, code = removal_of(base, id)
    if one and set ~= '' and not call('ZSCORE', base .. set, id) then
        code = -3
    elseif one and call('EXISTS', one.key .. ':lock') == 1 then
        code = 0
    end
    local all = {one}
    if one and not code and below then
        all[one.key] = true
        code = children(all)
    end
    if not code then
        local state, cost = removal_take(one)
        work = work + cost
        if not state and not one.here then
            code = -1
        else
            code, removed = 1, removed + #all
            removal_done(one)
            call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
                 'removed', 'jobId', id, 'prev', state or 'unknown')
            -- their parents are gone by now
            removal_end()
            for j = 2, #all do
                state, cost = removal_take(all[j])
                work = work + cost
                removal_done(all[j])
                call('XADD', all[j].queue .. 'events', '*', 'event', 'removed',
                     'jobId', all[j].id, 'prev', state or 'unknown')
            end
        end
    end
    codes[i] = code
    if work >= 100000 or removed >= 1000 then
        break
    end
end
removal_end()

return codes
