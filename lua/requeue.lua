-- Brings finished jobs, or delayed ones before their time, back to the line.
-- The parent of a finished child waits for it again, if it is there at all.
--
-- KEYS[1]  "<prefix>:<queue>:"
-- ARGV[1]  BullMQ major of the queue, 5 or 6
-- ARGV[2]  "failed", "completed" or "delayed": the set they are in
-- ARGV[3]  1 forgets the attempts made and started; 0 keeps them, so that a
--          job without attempts left fails for good at its next failure; 0 with
--          "delayed"
-- then 1 to 1000 ids
--
-- Returns one code an id: 1 done, -1 the job is gone (its id leaves the set), -3
-- it is not in the set, -12 its parent's keys cannot be written (finish.lua);
-- nothing is written for it.

--@include queue
--@include put_back

local n = #ARGV - 3
if n < 1 or n > 1000 then
    error('3 arguments and 1 to 1000 ids', 0)
end
local set, reset = put_back_arguments(2)

return put_back(set, {unpack(ARGV, 4)}, reset)
