-- Why a job must be left to a stock worker, or nil: an iteration of a job
-- scheduler is followed by the next one when it is taken, a step that is not
-- built; going on without it would stop the scheduler.
local function unbuilt(scheduler)
    return scheduler and 'is an iteration of a job scheduler'
end
