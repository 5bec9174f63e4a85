-- does the job ask for the front of its line?
local function is_lifo(opts)
    if not opts or not opts:find('"lifo"', 1, true) then
        return false
    end
    local ok, options = pcall(cjson.decode, opts)
    return ok and type(options) == 'table' and options.lifo == true
end
