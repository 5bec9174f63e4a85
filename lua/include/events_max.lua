-- How long the stream of events may grow: set by whoever comes first.
if not events_max then
    events_max = '10000'
    call('HSET', base .. 'meta', 'opts.maxLenEvents', events_max)
end
