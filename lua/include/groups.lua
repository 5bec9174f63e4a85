-- The steps of group.lua, made when the first job needs them.
local group
local function groups()
    if not group then
        --@include group
        group = {of = group_of, gone = group_gone, done = group_done,
                 check = group_check, filter = group_filter}
    end
    return group
end
