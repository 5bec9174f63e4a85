-- Why a job must be left to a stock worker, or nil: it needs a step that is
-- not built, and going on without it would stop a scheduler, hang a flow or
-- lose the deduplicated job that is to follow it.
local function unbuilt(scheduler, parent, dedup, opts)
    if scheduler then
        return 'is an iteration of a job scheduler'
    end
    if parent then
        return 'is a child of a flow'
    end
    if dedup and opts and opts:find('keepLastIfActive', 1, true) then
        local ok, options = pcall(cjson.decode, opts)
        local de = ok and type(options) == 'table' and options.de
        if not ok or (type(de) == 'table' and de.keepLastIfActive) then
            return 'has deduplication with keepLastIfActive'
        end
    end
    return nil
end
