-- A call that may come a second time is run once: what KEYS[2] remembers tells.
-- It is noted after all that can fail of a wrong type, so that a call that was
-- refused is not remembered; of the events it is only known here.
call('XLEN', events)
if ARGV[once] == 'call' then
    if call('ZADD', KEYS[2], ARGV[once + 1], ARGV[once + 1]) == 0 then
        return once_number
    end
    if ARGV[once + 2] ~= '0' then
        call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[once + 2])
    end
else
    local last = tonumber(call('GET', KEYS[2]) or 0)
    if last >= once_number then
        return last
    end
    call('SET', KEYS[2], ARGV[once + 2])
end
if ARGV[once + 3] ~= '0' then
    call('PEXPIRE', KEYS[2], ARGV[once + 3])
end
