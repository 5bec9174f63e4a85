-- Checks of ARGV.  Each raises an error that names the argument; nothing has
-- been written by then.
local function refuse(i, name, what)
    error('ARGV[' .. i .. '] ' .. name .. ' ' .. what, 0)
end

-- a whole number, at most `high` (2^53 - 1 when absent)
local function whole(i, name, high)
    local text = ARGV[i]
    if text == '0' then
        return 0
    end
    if not text or #text > 16 or not text:find('^%d+$') then
        refuse(i, name, 'must be a whole number')
    end
    local number = tonumber(text)
    if number > (high or 9007199254740991) then
        refuse(i, name, 'is too large')
    end
    return number
end
