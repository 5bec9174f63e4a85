-- The stacktraces of a job: those it has, oldest first, and `more` behind them
-- (both the text of a JSON array of strings), cut to opts.stackTraceLimit.  The
-- text is kept as it is: cjson would write it otherwise.
local function stack_of(had, more, opts)
    local ok, list = pcall(cjson.decode, had or '')
    if not ok or type(list) ~= 'table' or #list == 0 then
        had = '[]'
    end
    if more == '' or more == '[]' then
        more = had
    elseif had ~= '[]' then
        more = had:gsub('%]%s*$', '') .. ',' .. more:sub(2)
    end

    if opts and opts:find('"stackTraceLimit"', 1, true) then
        local read, options = pcall(cjson.decode, opts)
        local limit = read and type(options) == 'table'
                      and tonumber(options.stackTraceLimit)
        ok, list = pcall(cjson.decode, more)
        if limit and ok and limit >= 0 and #list > limit then
            local last = {}
            for i = #list - math.floor(limit) + 1, #list do
                last[#last + 1] = list[i]
            end
            more = last[1] and cjson.encode(last) or '[]'
        end
    end
    return more
end
