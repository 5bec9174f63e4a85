-- Sets an entry of a stream aside that is no record: first its copy, then it is
-- deleted and acknowledged, so that one whose copy is refused stays.
--
-- KEYS[1]  the stream
-- KEYS[2]  where the copy goes, in the same slot
-- ARGV[1]  the consumer group
-- ARGV[2]  the entry's id
-- ARGV[3]  how many copies are kept, about
--
-- Returns 1, or 0 when the entry was gone.  The copy has its first 500 fields.

local call = redis.call
local entry = call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if entry then
    call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*',
         unpack(entry[2], 1, math.min(#entry[2], 1000)))
    call('XDEL', KEYS[1], ARGV[2])
end
call('XACK', KEYS[1], ARGV[1], ARGV[2])
return entry and 1 or 0
