-- The events of a job that is kept away, or was removed, by deduplication.
local function tell_deduplicated(job, key, other)
    if ARGV[1] == '5' then
        call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
             'debounced', 'jobId', job, 'debounceId', key)
    end
    call('XADD', events, 'MAXLEN', '~', events_max, '*', 'event',
         'deduplicated', 'jobId', job, 'deduplicationId', key,
         'deduplicatedJobId', other)
end
