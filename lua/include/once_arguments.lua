once = #ARGV - 3
if ARGV[once] ~= 'call' and ARGV[once] ~= 'spool' then
    refuse(once, 'once', 'must be call or spool')
end
once_number = whole(once + 1, 'number')
whole(once + 2, 'upto')
whole(once + 3, 'ttl', due_max)
