-- Tells our workers that a queue (its base) which had nothing for them has
-- something now: the word is its name, on one channel for all queues.  A user
-- who may not publish tells nobody, and sweep.lua finds the queue later.
local function wake(queue)
    redis.pcall('PUBLISH', 'sluice:wake', queue:sub(1, -2))
end
