-- The steps of flow.lua, made when the first job needs them.
local flow
local function flows()
    if not flow then
        --@include flow
        flow = {parent = flow_parent, done = flow_done, failed = flow_failed,
                gone = flow_gone, back = flow_back,
                writable = flow_both_writable}
    end
    return flow
end
