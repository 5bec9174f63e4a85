-- Is there a job with this id?  `meta` is the one hash of a queue that an id can
-- name.
local function is_job(id)
    local job = redis.pcall('HMGET', base .. id, 'name', 'data')
    return not job.err and id ~= 'meta' and (job[1] or job[2])
end
