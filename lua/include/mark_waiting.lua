-- Wakes a stock worker that sleeps on `marker`, unless nothing may be started:
-- the queue is paused, or at its global concurrency.
local function mark_waiting()
    if not paused and (not concurrency
                       or call('LLEN', base .. 'active') < concurrency)
    then
        call('ZADD', base .. 'marker', '0', '0')
    end
end
