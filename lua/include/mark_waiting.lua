-- Wakes a stock worker that sleeps on `marker`, and ours, unless nothing may be
-- started: the queue is paused, or at its global concurrency.  A marker that is
-- there already was told of, and nobody has emptied the line since, nor found
-- nothing but jobs for others there (0.5, which clients read as 0 or as due).

--@include wake

local function mark_waiting()
    if not paused and (not concurrency
                       or call('LLEN', base .. 'active') < concurrency)
        and call('ZADD', base .. 'marker', 'CH', '0', '0') == 1
    then
        wake(base)
    end
end
