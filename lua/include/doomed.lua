-- The keys of removed jobs, many of them in one DEL; what is left of them at the
-- end is the caller's to delete.
local doomed, ndoomed = {}, 0
local function remove_job(key)
    local n = ndoomed
    doomed[n + 1] = key
    doomed[n + 2] = key .. ':logs'
    doomed[n + 3] = key .. ':dependencies'
    doomed[n + 4] = key .. ':processed'
    doomed[n + 5] = key .. ':failed'
    doomed[n + 6] = key .. ':unsuccessful'
    ndoomed = n + 6
    if ndoomed > 900 then
        call('DEL', unpack(doomed))
        doomed, ndoomed = {}, 0
    end
end
