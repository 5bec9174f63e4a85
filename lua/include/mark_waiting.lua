-- Wakes a stock worker that sleeps on `marker`, and ours, unless nothing may be
-- started: the queue is paused, or at its global concurrency.  A marker that is
-- there already was told of, and nobody has emptied the line since.

--@include wake

local function mark_waiting()
    if not paused and (not concurrency
                       or call('LLEN', base .. 'active') < concurrency)
        and call('ZADD', base .. 'marker', '0', '0') == 1
    then
        wake(base)
    end
end
