-- the last due ms whose score in `delayed` is still an exact integer
local due_max = 2199023255550
